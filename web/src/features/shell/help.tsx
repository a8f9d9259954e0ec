import { Dialog, DialogContent } from "@/components/ui/dialog";
import { Kbd } from "@/components/ui/kbd";
import { Switch } from "@/components/ui/switch";
import { setSingleKeys, useSingleKeys, type Keys } from "@/lib/shortcuts";

const LIST: [Keys, string][] = [
  ["mod+k", "Go to a chat, an assistant or a page"],
  ["mod+shift+o", "New chat"],
  ["/", "Write a question"],
  ["escape", "Stop the answer, or close what is open"],
  ["?", "This list"],
];

export function Help({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const on = useSingleKeys();
  return (
    <Dialog open={open} onOpenChange={onOpenChange}>
      <DialogContent title="Keyboard shortcuts">
        <dl className="px-5 pt-3">
          {LIST.map(([keys, what]) => (
            <div
              key={keys}
              className="flex items-center justify-between gap-4 border-b border-line py-2.5 text-sm last:border-0"
            >
              <dt>{what}</dt>
              <dd>
                <Kbd keys={keys} />
              </dd>
            </div>
          ))}
        </dl>
        <div className="m-5 mt-3 flex items-start justify-between gap-4 rounded-xl bg-sunken p-4">
          <label htmlFor="single-keys" className="text-sm">
            <span className="font-medium">Shortcuts of a single key</span>
            <span className="mt-0.5 block text-quiet">
              Switch them off if you speak to your computer, or press keys by chance.
            </span>
          </label>
          <Switch id="single-keys" checked={on} onCheckedChange={setSingleKeys} />
        </div>
      </DialogContent>
    </Dialog>
  );
}

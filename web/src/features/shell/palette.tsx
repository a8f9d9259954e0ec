import { Dialog, DialogContent } from "@/components/ui/dialog";
import { AssistantTile } from "@/features/assistants/assistant-tile";
import { assistantsQuery, meQuery, sessionsQuery } from "@/lib/api/queries";
import { setTheme } from "@/lib/theme";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Command } from "cmdk";
import {
  ChartColumn,
  FileStack,
  House,
  Keyboard,
  MessageSquare,
  Monitor,
  Moon,
  Search,
  Sun,
} from "lucide-react";
import type { ReactNode } from "react";

type Props = { open: boolean; onOpenChange: (open: boolean) => void; onHelp: () => void };

/** Everything by name: chats, assistants, pages and settings. */
export function Palette({ open, onOpenChange, onHelp }: Props) {
  return (
    <Dialog open={open} onOpenChange={onOpenChange}>
      <DialogContent title="Go to…" hideTitle className="max-w-xl">
        <Choices close={() => onOpenChange(false)} onHelp={onHelp} />
      </DialogContent>
    </Dialog>
  );
}

function Choices({ close, onHelp }: { close: () => void; onHelp: () => void }) {
  const navigate = useNavigate();
  const { data: me } = useQuery(meQuery);
  const { data: assistants = [] } = useQuery(assistantsQuery);
  const { data: sessions = [] } = useQuery(sessionsQuery);
  const then = (action: () => unknown) => () => {
    close();
    void action();
  };
  return (
    <Command label="Go to" className="flex min-h-0 flex-col">
      <div className="flex items-center gap-3 border-b border-line px-4">
        <Search aria-hidden className="size-4.5 shrink-0 text-quiet" />
        <Command.Input
          autoFocus
          placeholder="Find a chat, an assistant or a page"
          className="h-13 min-w-0 flex-1 bg-transparent outline-none placeholder:text-quiet"
        />
      </div>
      <Command.List
        label="Results"
        className="max-h-[60dvh] overflow-y-auto p-2 [&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:text-quiet"
      >
        <Command.Empty className="px-3 py-8 text-center text-sm text-quiet">
          Nothing has that name.
        </Command.Empty>
        <Command.Group heading="Ask">
          {assistants.map((assistant) => (
            <Choice
              key={assistant.id}
              value={`${assistant.name} ${assistant.department.name} ${assistant.id}`}
              onSelect={then(() =>
                navigate({ to: "/a/$assistant", params: { assistant: assistant.id }, search: {} }),
              )}
            >
              <AssistantTile assistant={assistant} small />
              <span className="min-w-0 truncate">{assistant.name}</span>
              <span className="ml-auto text-xs text-quiet">{assistant.department.name}</span>
            </Choice>
          ))}
        </Command.Group>
        {sessions.length ? (
          <Command.Group heading="Chats">
            {sessions.slice(0, 50).map((session) => (
              <Choice
                key={session.id}
                value={`${session.title} ${session.id}`}
                onSelect={then(() => navigate({ to: "/c/$session", params: { session: session.id } }))}
              >
                <MessageSquare /> <span className="min-w-0 truncate">{session.title}</span>
              </Choice>
            ))}
          </Command.Group>
        ) : null}
        <Command.Group heading="Pages">
          <Choice value="Home" onSelect={then(() => navigate({ to: "/" }))}>
            <House /> Home
          </Choice>
          <Choice value="Documents" onSelect={then(() => navigate({ to: "/documents", search: {} }))}>
            <FileStack /> Documents
          </Choice>
          {me?.may.usage ? (
            <Choice value="Usage and cost" onSelect={then(() => navigate({ to: "/usage", search: {} }))}>
              <ChartColumn /> Usage
            </Choice>
          ) : null}
        </Command.Group>
        <Command.Group heading="Settings">
          <Choice value="Light theme" onSelect={then(() => setTheme("light"))}>
            <Sun /> Light theme
          </Choice>
          <Choice value="Dark theme" onSelect={then(() => setTheme("dark"))}>
            <Moon /> Dark theme
          </Choice>
          <Choice value="System theme" onSelect={then(() => setTheme("system"))}>
            <Monitor /> Theme of the system
          </Choice>
          <Choice value="Keyboard shortcuts" onSelect={then(onHelp)}>
            <Keyboard /> Keyboard shortcuts
          </Choice>
        </Command.Group>
      </Command.List>
    </Command>
  );
}

function Choice({ value, onSelect, children }: { value: string; onSelect: () => void; children: ReactNode }) {
  return (
    <Command.Item
      value={value}
      onSelect={onSelect}
      className="flex min-h-10 cursor-pointer items-center gap-3 rounded-lg px-2.5 py-1.5 text-sm data-[selected=true]:bg-sunken [&>svg]:size-4 [&>svg]:shrink-0 [&>svg]:text-quiet"
    >
      {children}
    </Command.Item>
  );
}

import { label, type Keys } from "@/lib/shortcuts";
import { cn } from "@/lib/cn";

export function Kbd({ keys, className }: { keys: Keys; className?: string }) {
  return (
    <span className={cn("inline-flex gap-1", className)}>
      {label(keys).map((key) => (
        <kbd
          key={key}
          className="rounded border border-line bg-sunken px-1.5 py-px font-sans text-[11px] leading-4 text-quiet"
        >
          {key}
        </kbd>
      ))}
    </span>
  );
}

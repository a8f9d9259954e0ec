import { cn } from "@/lib/cn";
import { ChevronDown } from "lucide-react";
import { useId, type ComponentProps, type ReactNode } from "react";

const box =
  "w-full rounded-lg border border-edge/70 bg-surface text-ink transition-colors placeholder:text-quiet hover:border-edge focus-visible:outline-offset-0 disabled:opacity-60";

export function Input({ className, ...rest }: ComponentProps<"input">) {
  return <input className={cn(box, "h-9.5 px-3 text-sm", className)} {...rest} />;
}

export function Textarea({ className, ...rest }: ComponentProps<"textarea">) {
  return <textarea className={cn(box, "min-h-20 resize-y px-3 py-2 text-sm", className)} {...rest} />;
}

export function Select({ className, children, ...rest }: ComponentProps<"select">) {
  return (
    <span className={cn("relative inline-block", className)}>
      <select className={cn(box, "h-9.5 appearance-none pr-9 pl-3 text-sm")} {...rest}>
        {children}
      </select>
      <ChevronDown aria-hidden className="pointer-events-none absolute top-3 right-3 size-4 text-quiet" />
    </span>
  );
}

/** A control with its label above and a hint below. */
export function Field({
  name,
  hint,
  children,
}: {
  name: string;
  hint?: string;
  children: (id: string, hint?: string) => ReactNode;
}) {
  const id = useId();
  return (
    <div className="grid gap-1.5">
      <label htmlFor={id} className="text-sm font-medium">
        {name}
      </label>
      {children(id, hint ? `${id}-hint` : undefined)}
      {hint ? (
        <p id={`${id}-hint`} className="text-xs text-quiet">
          {hint}
        </p>
      ) : null}
    </div>
  );
}

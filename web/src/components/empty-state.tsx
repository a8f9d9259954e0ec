import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";

/** Says why there is nothing here yet and what would change that. */
export function EmptyState(props: {
  icon: LucideIcon;
  title: string;
  children: ReactNode;
  action?: ReactNode;
}) {
  const { icon: Icon, title, children, action } = props;
  return (
    <div className="mx-auto grid max-w-md justify-items-center gap-2 px-6 py-14 text-center">
      <span className="mb-2 grid size-12 place-items-center rounded-2xl bg-accent-soft text-accent-text">
        <Icon aria-hidden className="size-6" />
      </span>
      <h2 className="text-lg font-semibold">{title}</h2>
      <p className="text-sm text-quiet">{children}</p>
      {action ? <div className="mt-3">{action}</div> : null}
    </div>
  );
}

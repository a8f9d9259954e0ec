import { Tooltip } from "radix-ui";
import type { ReactNode } from "react";

export const TooltipProvider = Tooltip.Provider;

/** A name for what is only an icon. The control must carry the same words as its `aria-label`. */
export function Hint({
  text,
  side = "top",
  children,
}: {
  text: string;
  side?: "top" | "right" | "bottom";
  children: ReactNode;
}) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>{children}</Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content
          side={side}
          sideOffset={6}
          collisionPadding={8}
          className="z-60 max-w-64 animate-fade rounded-md bg-ink px-2 py-1 text-xs text-canvas shadow-float"
        >
          {text}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}

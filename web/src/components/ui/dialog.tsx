import { cn } from "@/lib/cn";
import { X } from "lucide-react";
import { Dialog as Radix } from "radix-ui";
import type { ComponentProps, ReactNode } from "react";
import { Button } from "./button";

export const Dialog = Radix.Root;
export const DialogTrigger = Radix.Trigger;
export const DialogClose = Radix.Close;

const veil = "animate-fade fixed inset-0 z-40 bg-[oklch(0.2_0.02_200/0.45)] backdrop-blur-[2px]";

function Close() {
  return (
    <Radix.Close asChild>
      <Button look="quiet" size="icon-sm" className="absolute top-3 right-3" aria-label="Close">
        <X />
      </Button>
    </Radix.Close>
  );
}

type ContentProps = Omit<ComponentProps<typeof Radix.Content>, "title"> & {
  title: ReactNode;
  description?: ReactNode;
  hideTitle?: boolean;
};

/** A window in the middle of the page. */
export function DialogContent({ title, description, hideTitle, className, children, ...rest }: ContentProps) {
  return (
    <Radix.Portal>
      <Radix.Overlay className={veil} />
      <Radix.Content
        {...(description ? {} : { "aria-describedby": undefined })}
        className={cn(
          "fixed inset-x-3 top-[8dvh] z-50 mx-auto flex max-h-[84dvh] max-w-lg animate-rise flex-col overflow-hidden rounded-2xl border border-line bg-surface shadow-float",
          className,
        )}
        {...rest}
      >
        <div className={cn("px-5 pt-5 pr-14", hideTitle && "sr-only")}>
          <Radix.Title className="font-display text-lg font-semibold">{title}</Radix.Title>
          {description ? (
            <Radix.Description className="mt-1 text-sm text-quiet">{description}</Radix.Description>
          ) : null}
        </div>
        {children}
        {hideTitle ? null : <Close />}
      </Radix.Content>
    </Radix.Portal>
  );
}

type SheetProps = ContentProps & { side?: "left" | "right" };

/** A panel that slides in from an edge, where there is no room beside the page. */
export function SheetContent({ title, side = "right", className, children, ...rest }: SheetProps) {
  return (
    <Radix.Portal>
      <Radix.Overlay className={veil} />
      <Radix.Content
        aria-describedby={undefined}
        style={{ "--from": side === "left" ? "-24px" : "24px" } as React.CSSProperties}
        className={cn(
          "fixed inset-y-0 z-50 flex animate-slide flex-col bg-surface shadow-float",
          side === "left" ? "left-0 w-[min(19rem,88vw)]" : "right-0 w-[min(44rem,100vw)]",
          className,
        )}
        {...rest}
      >
        <Radix.Title className="sr-only">{title}</Radix.Title>
        {children}
      </Radix.Content>
    </Radix.Portal>
  );
}

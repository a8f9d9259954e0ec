import { cn } from "@/lib/cn";
import { Check } from "lucide-react";
import { DropdownMenu as Radix } from "radix-ui";
import type { ComponentProps } from "react";

/** Not modal, and in its place in the page: the rest stays readable, and the menu belongs to its landmark. */
export function Menu(props: ComponentProps<typeof Radix.Root>) {
  return <Radix.Root modal={false} {...props} />;
}

export const MenuTrigger = Radix.Trigger;
export const MenuRadioGroup = Radix.RadioGroup;

const item =
  "flex min-h-8 cursor-pointer items-center gap-2.5 rounded-md px-2.5 py-1.5 text-sm outline-none data-highlighted:bg-sunken data-disabled:opacity-50 [&_svg]:size-4 [&_svg]:shrink-0";

export function MenuContent({ className, ...rest }: ComponentProps<typeof Radix.Content>) {
  return (
    <Radix.Content
      sideOffset={6}
      collisionPadding={8}
      className={cn(
        "z-50 min-w-48 animate-fade rounded-xl border border-line bg-surface p-1.5 shadow-float",
        className,
      )}
      {...rest}
    />
  );
}

export function MenuItem({
  className,
  harm,
  ...rest
}: ComponentProps<typeof Radix.Item> & { harm?: boolean }) {
  return <Radix.Item className={cn(item, harm && "text-harm-text", className)} {...rest} />;
}

export function MenuRadio({ className, children, ...rest }: ComponentProps<typeof Radix.RadioItem>) {
  return (
    <Radix.RadioItem className={cn(item, className)} {...rest}>
      {children}
      <Radix.ItemIndicator className="ml-auto text-accent-text">
        <Check />
      </Radix.ItemIndicator>
    </Radix.RadioItem>
  );
}

export function MenuLabel({ className, ...rest }: ComponentProps<typeof Radix.Label>) {
  return <Radix.Label className={cn("px-2.5 pt-1.5 pb-1 text-xs text-quiet", className)} {...rest} />;
}

export function MenuLine() {
  return <Radix.Separator className="my-1.5 h-px bg-line" />;
}

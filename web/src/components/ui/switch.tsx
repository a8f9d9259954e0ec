import { Switch as Radix } from "radix-ui";
import type { ComponentProps } from "react";

export function Switch(props: ComponentProps<typeof Radix.Root>) {
  return (
    <Radix.Root
      className="inline-flex h-6 w-10 shrink-0 items-center rounded-full bg-edge p-0.5 transition-colors data-[state=checked]:bg-accent"
      {...props}
    >
      <Radix.Thumb className="size-5 rounded-full bg-white shadow transition-transform data-[state=checked]:translate-x-4 dark:bg-canvas" />
    </Radix.Root>
  );
}

import { cn } from "@/lib/cn";
import { cva, type VariantProps } from "class-variance-authority";
import { Slot } from "radix-ui";
import type { ComponentProps } from "react";

const style = cva(
  "inline-flex shrink-0 items-center justify-center gap-2 rounded-lg font-medium whitespace-nowrap transition-[background,color,box-shadow,transform] duration-150 select-none active:translate-y-px disabled:pointer-events-none disabled:opacity-50 [&_svg]:size-4 [&_svg]:shrink-0",
  {
    variants: {
      look: {
        primary: "bg-accent text-on-accent shadow-lift hover:bg-accent-strong",
        outline: "border border-line bg-surface text-ink shadow-lift hover:bg-sunken",
        soft: "bg-accent-soft text-accent-text hover:brightness-[0.97] dark:hover:brightness-110",
        ghost: "text-ink hover:bg-sunken",
        quiet: "text-quiet hover:bg-sunken hover:text-ink",
        harm: "bg-harm text-white hover:brightness-110 dark:text-black",
      },
      size: {
        sm: "h-8 px-2.5 text-[13px]",
        md: "h-9.5 px-3.5 text-sm",
        lg: "h-11 px-5 text-[15px]",
        icon: "size-9",
        "icon-sm": "size-8",
      },
    },
    defaultVariants: { look: "outline", size: "md" },
  },
);

export type ButtonProps = ComponentProps<"button"> & VariantProps<typeof style> & { asChild?: boolean };

export function Button({ className, look, size, asChild, type = "button", ...rest }: ButtonProps) {
  const Tag = asChild ? Slot.Root : "button";
  return <Tag {...(asChild ? {} : { type })} className={cn(style({ look, size }), className)} {...rest} />;
}

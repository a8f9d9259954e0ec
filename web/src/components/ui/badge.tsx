import { cn } from "@/lib/cn";
import type { ComponentProps } from "react";

const tones = {
  plain: "bg-sunken text-quiet",
  accent: "bg-accent-soft text-accent-text",
  good: "bg-good-soft text-good-text",
  doubt: "bg-doubt-soft text-doubt-text",
  harm: "bg-harm-soft text-harm-text",
  evidence: "bg-evidence-soft text-evidence-text",
};

export type Tone = keyof typeof tones;

export function Badge({ tone = "plain", className, ...rest }: ComponentProps<"span"> & { tone?: Tone }) {
  return (
    <span
      className={cn(
        "inline-flex items-center gap-1 rounded-full px-2 py-0.5 text-xs font-medium whitespace-nowrap [&_svg]:size-3",
        tones[tone],
        className,
      )}
      {...rest}
    />
  );
}

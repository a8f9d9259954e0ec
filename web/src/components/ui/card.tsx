import { cn } from "@/lib/cn";
import type { ComponentProps } from "react";

export function Card({ className, ...rest }: ComponentProps<"div">) {
  return (
    <div className={cn("rounded-card border border-line bg-surface shadow-lift", className)} {...rest} />
  );
}

export function Skeleton({ className }: { className?: string }) {
  return <div aria-hidden className={cn("animate-pulse-soft rounded-lg bg-sunken", className)} />;
}

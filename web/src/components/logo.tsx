import { cn } from "@/lib/cn";

/** Three layers: the mark of Strata. */
export function Mark({ className }: { className?: string }) {
  const layer = (y: number, thick: number) =>
    `M2 ${y}c4.600-4 8-4 11.400-1.400s6.800 2.600 11.400-1.400v${thick}c-4.600 4-8 4-11.400 1.400s-6.800-2.600-11.400 1.400z`;
  return (
    <svg viewBox="0 0 26.800 26" aria-hidden className={cn("size-6", className)}>
      <path d={layer(7.4, 4.8)} className="fill-evidence-line" />
      <path d={layer(14.6, 4)} className="fill-accent" />
      <path d={layer(21, 2.8)} className="fill-accent/45" />
    </svg>
  );
}

export function Logo({ className }: { className?: string }) {
  return (
    <span className={cn("inline-flex items-center gap-2.5", className)}>
      <Mark />
      <span className="font-display text-[1.3rem] leading-none font-bold tracking-tight">Strata</span>
    </span>
  );
}

/** The layered ground behind the sign-in and the first screen. Decoration only. */
export function Ground({ className }: { className?: string }) {
  const bands = [
    { y: 40, className: "fill-accent/[0.035]" },
    { y: 85, className: "fill-accent/[0.04]" },
    { y: 122, className: "fill-evidence-line/[0.1]" },
    { y: 146, className: "fill-accent/[0.05]" },
    { y: 182, className: "fill-accent/[0.055]" },
  ];
  return (
    <svg
      viewBox="0 0 1200 240"
      preserveAspectRatio="none"
      aria-hidden
      className={cn("pointer-events-none", className)}
    >
      {bands.map(({ y, className: fill }, index) => (
        <path
          key={y}
          className={fill}
          d={`M0 ${y}C${220 + index * 30} ${y - 46 + index * 9} ${410 - index * 20} ${y + 44} 640 ${y + 6}S${1010 - index * 25} ${y - 38} 1200 ${y + 10 - index * 3}V240H0Z`}
        />
      ))}
    </svg>
  );
}

import type { Problem } from "@/lib/api/types";
import { cn } from "@/lib/cn";
import { moment } from "@/lib/format";
import { RotateCw, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "./ui/button";

type Props = {
  problem: Problem;
  onRetry?: () => void;
  retryName?: string;
  className?: string;
  children?: ReactNode;
};

/** What went wrong and what to do, in the server's own words. */
export function ProblemCard({ problem, onRetry, retryName = "Try again", className, children }: Props) {
  return (
    <div role="alert" className={cn("rounded-card border border-harm/30 bg-harm-soft p-4", className)}>
      <div className="flex gap-3">
        <TriangleAlert aria-hidden className="mt-0.5 size-4.5 shrink-0 text-harm-text" />
        <div className="min-w-0">
          <p className="text-sm font-semibold text-harm-text">{problem.title}</p>
          <p className="mt-1 text-sm text-ink">{problem.detail}</p>
          {problem.resets_at ? (
            <p className="mt-1 text-sm text-ink">
              {problem.budget ? `Budget “${problem.budget}” resets` : "Resets"} on {moment(problem.resets_at)}
              .
            </p>
          ) : null}
          {(onRetry ?? children) ? (
            <div className="mt-3 flex flex-wrap gap-2">
              {onRetry ? (
                <Button size="sm" onClick={onRetry}>
                  <RotateCw /> {retryName}
                </Button>
              ) : null}
              {children}
            </div>
          ) : null}
        </div>
      </div>
    </div>
  );
}

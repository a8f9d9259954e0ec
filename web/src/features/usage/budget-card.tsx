import { Badge } from "@/components/ui/badge";
import { Card } from "@/components/ui/card";
import type { Budget } from "@/lib/api/types";
import { cn } from "@/lib/cn";
import { date, money, percent } from "@/lib/format";
import { BellRing, CircleCheck, OctagonX } from "lucide-react";

const STATE = {
  ok: { name: "Within budget", tone: "good", bar: "bg-accent", icon: CircleCheck },
  alarm: { name: "Alarm", tone: "doubt", bar: "bg-doubt", icon: BellRing },
  exhausted: { name: "Used up", tone: "harm", bar: "bg-harm", icon: OctagonX },
} as const;

/** How much of a budget is spent and held, and when it begins anew. */
export function BudgetCard({ budget }: { budget: Budget }) {
  const state = STATE[budget.state];
  const share = (micros: number) => (budget.limit_micros ? Math.min(micros / budget.limit_micros, 1) : 1);
  const sum = (micros: number) => money(micros, budget.currency);
  const spent = share(budget.spent_micros);
  const held = Math.min(share(budget.reserved_micros), 1 - spent);
  return (
    <li>
      <Card
        className={cn(
          "h-full p-5",
          budget.state === "exhausted" && "border-harm/50",
          budget.state === "alarm" && "border-doubt/50",
        )}
      >
        <div className="flex items-start justify-between gap-3">
          <p className="font-medium">{budget.name}</p>
          <Badge tone={state.tone}>
            <state.icon aria-hidden /> {state.name}
          </Badge>
        </div>
        <p className="mt-3 text-sm text-quiet tabular">
          <span className="font-display text-2xl font-semibold text-ink">{sum(budget.spent_micros)}</span> of{" "}
          {sum(budget.limit_micros)} {budget.period === "total" ? "in all" : `this ${budget.period}`}
        </p>
        <div
          role="meter"
          aria-label={`${budget.name}: spent`}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.round(spent * 100)}
          aria-valuetext={`${percent(spent)} spent`}
          className="relative mt-3 h-2.5 rounded-full bg-sunken"
        >
          <span
            className={cn("absolute inset-y-0 left-0 rounded-full", state.bar)}
            style={{ width: `${spent * 100}%` }}
          />
          <span
            className={cn("absolute inset-y-0 rounded-r-full opacity-40", state.bar)}
            style={{ left: `${spent * 100}%`, width: `${held * 100}%` }}
          />
          <span
            aria-hidden
            className="absolute -inset-y-1 w-0.5 rounded bg-ink/60"
            style={{ left: `${Math.min(budget.alarm_percent, 99.5)}%` }}
          />
        </div>
        <p className="mt-2.5 flex flex-wrap justify-between gap-x-3 text-xs text-quiet tabular">
          <span>Alarm at {budget.alarm_percent} %</span>
          <span>{budget.resets_at ? `Resets ${date(budget.resets_at)}` : "Never resets"}</span>
        </p>
        {budget.state === "exhausted" ? (
          <p className="mt-2 text-xs text-harm-text">
            {budget.resets_at
              ? "No question is answered on this budget until it resets."
              : "No question is answered on this budget until it is raised."}
          </p>
        ) : null}
      </Card>
    </li>
  );
}

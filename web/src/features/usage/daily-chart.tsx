import { Card } from "@/components/ui/card";
import { Segmented } from "@/components/ui/segmented";
import type { UsageReport } from "@/lib/api/types";
import { compact, count, day, money } from "@/lib/format";
import { useState } from "react";
import {
  Bar,
  BarChart,
  CartesianGrid,
  ResponsiveContainer,
  Tooltip,
  XAxis,
  YAxis,
  type TooltipContentProps,
} from "recharts";

type Daily = UsageReport["daily"];
type Shown = "cost" | "requests";
type Props = { daily: Daily; currency: string };

const CHOICES: [Shown, string][] = [
  ["cost", "Cost"],
  ["requests", "Requests"],
];

/** Use by day as bars; the same figures as a table for whoever does not see them. */
export function DailyChart({ daily, currency }: Props) {
  const [shown, setShown] = useState<Shown>("cost");
  const most = Math.max(...daily.map((one) => one.cost_micros), 0) / 1_000_000;
  const digits = most < 0.005 ? 5 : most < 0.05 ? 3 : 2;
  const axis = new Intl.NumberFormat(undefined, {
    style: "currency",
    currency,
    minimumFractionDigits: digits,
  });
  const points = daily.map((one) => ({ ...one, cost: one.cost_micros / 1_000_000 }));
  return (
    <>
      <div className="flex flex-wrap items-center justify-between gap-3">
        <h2 id="daily" className="text-lg font-semibold">
          Day by day
        </h2>
        <Segmented name="Shown" value={shown} choices={CHOICES} onChange={setShown} />
      </div>
      <Card className="mt-3 p-4 sm:p-5">
        <div aria-hidden className="h-56">
          <ResponsiveContainer width="100%" height="100%" initialDimension={{ width: 600, height: 224 }}>
            <BarChart
              data={points}
              accessibilityLayer={false}
              margin={{ top: 4, right: 0, bottom: 0, left: 0 }}
              barCategoryGap="22%"
            >
              <CartesianGrid vertical={false} stroke="var(--line)" />
              <XAxis
                dataKey="day"
                tickFormatter={day}
                tickLine={false}
                axisLine={false}
                minTickGap={28}
                tick={{ fill: "var(--quiet)", fontSize: 12 }}
              />
              <YAxis
                width={52}
                tickLine={false}
                axisLine={false}
                tickCount={4}
                tickFormatter={(value: number) => (shown === "cost" ? axis.format(value) : compact(value))}
                tick={{ fill: "var(--quiet)", fontSize: 12 }}
              />
              <Tooltip
                cursor={{ fill: "var(--sunken)" }}
                content={(props) => <Note {...props} currency={currency} />}
                isAnimationActive={false}
              />
              <Bar
                dataKey={shown}
                fill="var(--accent)"
                radius={[4, 4, 0, 0]}
                maxBarSize={34}
                isAnimationActive={false}
              />
            </BarChart>
          </ResponsiveContainer>
        </div>
        <details className="mt-3 text-sm">
          <summary className="min-h-6 w-fit cursor-pointer text-quiet hover:text-ink">
            Show as a table
          </summary>
          <div
            tabIndex={0}
            role="region"
            aria-label="Use by day"
            className="mt-3 max-h-72 overflow-auto rounded-xl border border-line"
          >
            <table className="sheet-table tabular">
              <thead>
                <tr>
                  <th scope="col">Day</th>
                  <th scope="col">Requests</th>
                  <th scope="col">Cost</th>
                </tr>
              </thead>
              <tbody>
                {[...daily].reverse().map((one) => (
                  <tr key={one.day}>
                    <td>{day(one.day)}</td>
                    <td>{count(one.requests)}</td>
                    <td>{money(one.cost_micros, currency)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </details>
      </Card>
    </>
  );
}

function Note({ active, payload, currency }: Partial<TooltipContentProps> & { currency: string }) {
  const point = payload?.[0]?.payload as Daily[number] | undefined;
  if (!active || !point) return null;
  return (
    <div className="rounded-lg border border-line bg-surface px-3 py-2 text-xs tabular shadow-float">
      <p className="font-semibold">{day(point.day)}</p>
      <p className="mt-1 text-quiet">
        {count(point.requests)} requests · {money(point.cost_micros, currency)}
      </p>
    </div>
  );
}

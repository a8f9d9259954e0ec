import { EmptyState } from "@/components/empty-state";
import { ProblemCard } from "@/components/problem-card";
import { Button } from "@/components/ui/button";
import { Card, Skeleton } from "@/components/ui/card";
import { Segmented } from "@/components/ui/segmented";
import { body, client } from "@/lib/api/client";
import { asProblem } from "@/lib/api/problem";
import type { UsageReport } from "@/lib/api/types";
import { compact, count, date, money } from "@/lib/format";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { ChartColumn, Download } from "lucide-react";
import { useState } from "react";
import { BudgetCard } from "./budget-card";
import { csv } from "./csv";
import { DailyChart } from "./daily-chart";

type By = UsageReport["by"];
const BY: [By, string][] = [
  ["department", "Department"],
  ["person", "Person"],
  ["assistant", "Assistant"],
  ["model", "Model"],
];
const DAYS: [string, string][] = [
  ["7", "7 days"],
  ["30", "30 days"],
  ["90", "90 days"],
];

export function UsagePage() {
  const [by, setBy] = useState<By>("department");
  const [days, setDays] = useState("30");
  const report = useQuery({
    queryKey: ["usage", by, days],
    queryFn: () => body(client.GET("/api/usage", { params: { query: { by, days: Number(days) } } })),
    placeholderData: keepPreviousData,
  });
  const { data, error } = report;
  return (
    <div className="mx-auto max-w-6xl px-4 pt-16 pb-16 sm:px-8 lg:pt-10">
      <div className="flex flex-wrap items-end justify-between gap-4">
        <div>
          <h1 className="text-3xl font-semibold tracking-tight">Usage</h1>
          <p className="mt-1 text-quiet">
            {data ? `${date(data.from)} to ${date(data.till)}` : "What was asked, and what it cost."}
          </p>
        </div>
        <Segmented name="Period" value={days} choices={DAYS} onChange={setDays} />
      </div>
      {error ? (
        <ProblemCard problem={asProblem(error)} onRetry={() => void report.refetch()} className="mt-6" />
      ) : null}
      {report.isPending ? <Waiting /> : null}
      {data ? (
        <>
          <Totals report={data} />
          {data.budgets.length ? (
            <section aria-labelledby="budgets" className="mt-10">
              <h2 id="budgets" className="text-lg font-semibold">
                Budgets
              </h2>
              <ul className="mt-3 grid gap-4 md:grid-cols-2 xl:grid-cols-3">
                {data.budgets.map((budget) => (
                  <BudgetCard key={budget.id} budget={budget} />
                ))}
              </ul>
            </section>
          ) : null}
          <section aria-labelledby="daily" className="mt-10">
            <DailyChart daily={data.daily} currency={data.currency} />
          </section>
          <Breakdown report={data} by={by} onBy={setBy} />
        </>
      ) : null}
    </div>
  );
}

function Totals({ report: { total, currency } }: { report: UsageReport }) {
  const facts: [string, string, string][] = [
    [
      "Cost",
      money(total.cost_micros, currency),
      total.requests ? `${money(total.cost_micros / total.requests, currency)} a request` : "",
    ],
    ["Requests", count(total.requests), ""],
    ["Tokens read", compact(total.prompt_tokens), count(total.prompt_tokens)],
    ["Tokens written", compact(total.completion_tokens), count(total.completion_tokens)],
  ];
  return (
    <Card className="mt-6 overflow-hidden">
      <dl className="grid grid-cols-2 gap-px bg-line lg:grid-cols-4">
        {facts.map(([name, value, more]) => (
          <div key={name} className="bg-surface p-4 sm:p-5">
            <dt className="text-sm text-quiet">{name}</dt>
            <dd className="mt-1 font-display text-2xl font-semibold tabular sm:text-3xl">{value}</dd>
            <dd className="mt-0.5 min-h-4 text-xs text-quiet tabular">{more}</dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}

function Breakdown({ report, by, onBy }: { report: UsageReport; by: By; onBy: (by: By) => void }) {
  const rows = [...report.rows].sort((a, b) => b.cost_micros - a.cost_micros || b.requests - a.requests);
  const most = Math.max(...rows.map((row) => row.cost_micros), 1);
  return (
    <section aria-labelledby="breakdown" className="mt-10">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <h2 id="breakdown" className="text-lg font-semibold">
          Where it went
        </h2>
        <div className="flex flex-wrap items-center gap-2">
          <Segmented name="Group by" value={by} choices={BY} onChange={onBy} />
          {rows.length ? (
            <Button size="sm" asChild>
              <a download={`usage-by-${by}.csv`} href={csv(report)}>
                <Download /> CSV
              </a>
            </Button>
          ) : null}
        </div>
      </div>
      <Card className="mt-3 overflow-hidden">
        {rows.length ? (
          <div tabIndex={0} role="group" aria-label="Figures" className="overflow-x-auto">
            <table className="w-full min-w-[34rem] text-sm tabular">
              <thead className="bg-sunken/60 text-xs text-quiet">
                <tr>
                  <th scope="col" className="px-4 py-2.5 text-left font-medium">
                    {BY.find(([key]) => key === by)?.[1]}
                  </th>
                  {["Requests", "Tokens read", "Tokens written", "Cost"].map((head) => (
                    <th key={head} scope="col" className="px-4 py-2.5 text-right font-medium">
                      {head}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {rows.map((row) => (
                  <tr key={row.key} className="border-t border-line">
                    <th scope="row" className="w-2/5 px-4 py-3 text-left font-medium">
                      {row.name}
                      <span aria-hidden className="mt-1.5 block h-1 rounded-full bg-sunken">
                        <span
                          className="block h-full rounded-full bg-accent"
                          style={{ width: `${(row.cost_micros / most) * 100}%` }}
                        />
                      </span>
                    </th>
                    <td className="px-4 py-3 text-right">{count(row.requests)}</td>
                    <td className="px-4 py-3 text-right">{count(row.prompt_tokens)}</td>
                    <td className="px-4 py-3 text-right">{count(row.completion_tokens)}</td>
                    <td className="px-4 py-3 text-right font-medium">
                      {money(row.cost_micros, report.currency)}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        ) : (
          <EmptyState icon={ChartColumn} title="Nothing was used in this time">
            Figures appear here as soon as somebody asks a question.
          </EmptyState>
        )}
      </Card>
    </section>
  );
}

function Waiting() {
  return (
    <div role="status" aria-label="Loading usage" className="mt-6 grid gap-6">
      <Skeleton className="h-28" />
      <Skeleton className="h-36" />
      <Skeleton className="h-64" />
    </div>
  );
}

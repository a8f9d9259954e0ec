import type { UsageReport } from "@/lib/api/types";

/** A cell that no spreadsheet takes for a formula. */
const cell = (value: string | number) => {
  const text = String(value);
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

export function table({ by, rows, currency }: UsageReport): string {
  const head = [by, "requests", "prompt_tokens", "completion_tokens", `cost_micros_${currency}`];
  const lines = rows.map((row) => [
    row.name,
    row.requests,
    row.prompt_tokens,
    row.completion_tokens,
    row.cost_micros,
  ]);
  return [head, ...lines].map((line) => line.map(cell).join(",")).join("\r\n");
}

/** The rows as a file to download. */
export const csv = (report: UsageReport) =>
  `data:text/csv;charset=utf-8,${encodeURIComponent(table(report))}`;

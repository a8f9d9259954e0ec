import type { UsageReport } from "@/lib/api/types";
import { table } from "./csv";

test("a name cannot become a formula or a second cell", () => {
  const row = { key: "k", requests: 1, prompt_tokens: 2, completion_tokens: 3, cost_micros: 4 };
  const report = { by: "person", currency: "USD", rows: [{ ...row, name: '=1+1,"x"' }] } as UsageReport;
  expect(table(report)).toBe(
    `person,requests,prompt_tokens,completion_tokens,cost_micros_USD\r\n"'=1+1,""x""",1,2,3,4`,
  );
});

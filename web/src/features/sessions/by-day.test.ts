import { byDay } from "./by-day";

const session = (id: string, updated_at: string) => ({
  id,
  title: id,
  assistant: "a",
  created_at: updated_at,
  updated_at,
});

test("chats lie under the day they were last used, newest first", () => {
  const now = new Date(2026, 10, 22, 9);
  const at = (day: number, hour: number) => new Date(2026, 10, day, hour).toISOString();
  const groups = byDay(
    [
      session("old", at(3, 8)),
      session("late", at(21, 23)),
      session("week", at(18, 8)),
      session("early", at(22, 1)),
      session("now", at(22, 8)),
    ],
    now,
  );
  expect(groups.map(([name, items]) => [name, items.map(({ id }) => id)])).toEqual([
    ["Today", ["now", "early"]],
    ["Yesterday", ["late"]],
    ["Last 7 days", ["week"]],
    ["November 2026", ["old"]],
  ]);
});

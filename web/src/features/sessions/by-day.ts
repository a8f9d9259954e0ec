import type { Session } from "@/lib/api/types";

const DAY = 86_400_000;

const midnight = (when: Date) => new Date(when.getFullYear(), when.getMonth(), when.getDate()).getTime();

/** Sessions, newest first, under "Today", "Yesterday", "Last 7 days" and then their month. */
export function byDay(sessions: readonly Session[], now: Date): [string, Session[]][] {
  const groups = new Map<string, Session[]>();
  const newest = [...sessions].sort((a, b) => b.updated_at.localeCompare(a.updated_at));
  for (const session of newest) {
    const when = new Date(session.updated_at);
    const age = Math.round((midnight(now) - midnight(when)) / DAY);
    const month = new Intl.DateTimeFormat(undefined, { month: "long", year: "numeric" }).format(when);
    const name = age <= 0 ? "Today" : age === 1 ? "Yesterday" : age < 7 ? "Last 7 days" : month;
    groups.set(name, [...(groups.get(name) ?? []), session]);
  }
  return [...groups];
}

/** Light, dark, or as the system says; remembered on this device. */
import { useSyncExternalStore } from "react";

export type Theme = "light" | "dark" | "system";

const KEY = "strata.theme";
const system = globalThis.matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : "system";
  } catch {
    return "system";
  }
}

let theme = stored();

function apply() {
  const dark = theme === "dark" || (theme === "system" && system.matches);
  document.documentElement.classList.toggle("dark", dark);
  for (const listener of listeners) listener();
}

system.addEventListener("change", apply);

export function setTheme(next: Theme) {
  theme = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
  apply();
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useTheme = (): Theme => useSyncExternalStore(subscribe, () => theme);
export const useDark = (): boolean =>
  useSyncExternalStore(subscribe, () => document.documentElement.classList.contains("dark"));

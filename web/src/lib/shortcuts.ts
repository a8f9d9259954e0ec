/** Keyboard shortcuts: one list that both the keys and the help read, and a switch for those of a single key (WCAG 2.1.4). */
import { useEffect, useSyncExternalStore } from "react";

const KEY = "strata.single-keys";
const listeners = new Set<() => void>();

export const isMac = () => /mac|iphone|ipad/i.test(navigator.userAgent);

export function singleKeys(): boolean {
  try {
    return localStorage.getItem(KEY) !== "off";
  } catch {
    return true;
  }
}

export function setSingleKeys(on: boolean) {
  try {
    localStorage.setItem(KEY, on ? "on" : "off");
  } catch {
    // Storage may be forbidden; the keys then stay on.
  }
  for (const listener of listeners) listener();
}

export const useSingleKeys = () =>
  useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, singleKeys);

export type Keys = "mod+k" | "mod+shift+o" | "?" | "/" | "escape";

function pressed(event: KeyboardEvent): string {
  const parts = [];
  if (event.metaKey || event.ctrlKey) parts.push("mod");
  if (event.shiftKey && event.key.length > 1) parts.push("shift");
  else if (event.shiftKey && parts.length) parts.push("shift");
  parts.push(event.key.toLowerCase());
  return parts.join("+");
}

const writes = (target: EventTarget | null) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName));

/** Runs `action` when the keys are pressed. Keys of one character are silent while someone writes, or when switched off. */
export function useShortcut(keys: Keys, action: () => void) {
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing || pressed(event) !== keys) return;
      if (keys.length === 1 && (writes(event.target) || !singleKeys())) return;
      if (keys !== "escape") event.preventDefault();
      action();
    };
    globalThis.addEventListener("keydown", listen);
    return () => globalThis.removeEventListener("keydown", listen);
  }, [keys, action]);
}

/** The keys as a person reads them, on this kind of computer. */
export function label(keys: Keys): string[] {
  const names: Record<string, string> = {
    mod: isMac() ? "⌘" : "Ctrl",
    shift: isMac() ? "⇧" : "Shift",
    escape: "Esc",
  };
  return keys.split("+").map((key) => names[key] ?? key.toUpperCase());
}

import { useSyncExternalStore } from "react";

/** Whether a media query holds now. */
export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (listener) => {
      const list = globalThis.matchMedia(query);
      list.addEventListener("change", listener);
      return () => list.removeEventListener("change", listener);
    },
    () => globalThis.matchMedia(query).matches,
  );
}

/** Room for a panel beside the conversation. */
export const useWide = () => useMedia("(min-width: 1100px)");

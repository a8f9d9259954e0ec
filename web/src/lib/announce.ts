/** Says something to people who listen to the page instead of looking at it. */

/** Calls closer together than this are read as one, so that a fast stream does not become noise. */
const CHUNK_MS = 700;

let waiting: string[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;

export const REGION = "announcements";

export function announce(text: string) {
  waiting.push(text.trim());
  timer ??= setTimeout(() => {
    const region = document.getElementById(REGION);
    if (region) region.textContent = waiting.join(" ");
    waiting = [];
    timer = undefined;
  }, CHUNK_MS);
}

import { QueryClient } from "@tanstack/react-query";
import { afterEach, vi } from "vitest";
import { ask, conversationKey, stop } from "./ask";
import type { Conversation, Turn } from "./turns";

afterEach(() => vi.unstubAllGlobals());

const chat: Conversation = {
  id: "c",
  title: "New chat",
  assistant: "a",
  created_at: "",
  updated_at: "",
  messages: [],
};

function begin(respond: (signal: AbortSignal) => Response | Promise<Response>) {
  const cache = new QueryClient();
  cache.setQueryData(conversationKey("c"), chat);
  vi.stubGlobal("fetch", (_: string, init: RequestInit) => Promise.resolve(respond(init.signal!)));
  const now = () => cache.getQueryData<Conversation>(conversationKey("c"))!;
  return { cache, now, answer: (): Turn => now().messages.at(-1)! };
}

const event = (part: object) => `data: ${JSON.stringify(part)}\n\n`;
const sentence = (text: string) =>
  event({ type: "sentence", sentence: { text, support: "none", citations: [] } });
const streamed = (...texts: string[]) =>
  new Response(texts.join(""), { headers: { "content-type": "text/event-stream" } });

test("an answer arrives in the cache, with the chat's new title", async () => {
  const { cache, now, answer } = begin(() =>
    streamed(
      sentence("Cold. "),
      sentence("Dark."),
      event({ type: "done", outcome: "answered", mode: "extractive", title: "Cold" }),
    ),
  );
  await ask(cache, "c", "How?");
  expect(now().title).toBe("Cold");
  expect(now().messages[0]).toMatchObject({ role: "reader", text: "How?" });
  expect(answer()).toMatchObject({ text: "Cold. Dark.", outcome: "answered" });
});

test("a refusal shows the server's own words", async () => {
  const problem = {
    type: "urn:strata:problem:budget",
    title: "Budget exhausted",
    status: 429,
    detail: "It resets tomorrow.",
  };
  const { cache, answer } = begin(() => Response.json(problem, { status: 429 }));
  await ask(cache, "c", "How?");
  expect(answer()).toMatchObject({ outcome: "failed", problem });
});

test("a stream that ends too early is told", async () => {
  const { cache, answer } = begin(() => streamed(sentence("Cold. ")));
  await ask(cache, "c", "How?");
  expect(answer()).toMatchObject({
    text: "Cold. ",
    outcome: "failed",
    problem: { title: "The answer broke off" },
  });
});

test("a stopped answer keeps what was said", async () => {
  const { cache, answer } = begin(
    (signal) =>
      new Response(
        new ReadableStream({
          start(controller) {
            controller.enqueue(new TextEncoder().encode(sentence("Cold. ")));
            signal.addEventListener("abort", () =>
              controller.error(new DOMException("stopped", "AbortError")),
            );
          },
        }),
      ),
  );
  const asked = ask(cache, "c", "How?");
  await vi.waitFor(() => expect(answer().text).toBe("Cold. "));
  stop("c");
  await asked;
  expect(answer()).toMatchObject({ text: "Cold. ", outcome: "stopped", streaming: false });
});

test("a lost connection is told as such", async () => {
  const { cache, answer } = begin(() => Promise.reject(new TypeError("Failed to fetch")));
  await ask(cache, "c", "How?");
  expect(answer().problem).toMatchObject({ title: "Strata cannot be reached" });
});

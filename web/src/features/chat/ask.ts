/** Asks a question and lets the answer flow into the query cache, so that it goes on while the reader looks elsewhere. */
import { announce } from "@/lib/announce";
import { WEB_HEADER } from "@/lib/api/client";
import type { Part } from "@/lib/api/parts";
import { asProblem, problemOf, ProblemError } from "@/lib/api/problem";
import { sessionsQuery } from "@/lib/api/queries";
import { events } from "@/lib/api/sse";
import type { Problem } from "@/lib/api/types";
import type { QueryClient } from "@tanstack/react-query";
import { opened, plain, told, type Conversation, type Turn } from "./turns";

export const conversationKey = (session: string) => ["session", session] as const;

const running = new Map<string, AbortController>();

const BROKE_OFF: Problem = {
  type: "urn:strata:problem:broke-off",
  title: "The answer broke off",
  status: 0,
  detail: "The connection ended before the answer did. Ask again.",
};

export function stop(session: string) {
  running.get(session)?.abort();
}

/** Settles when the answer has ended, in whatever way; it never rejects. */
export async function ask(cache: QueryClient, session: string, text: string): Promise<void> {
  if (running.has(session)) return;
  const abort = new AbortController();
  running.set(session, abort);
  const [question, answer] = opened(text, new Date().toISOString());
  change(cache, session, (chat) => ({ ...chat, messages: [...chat.messages, question, answer] }));
  let turn: Turn = answer;
  const show = (next: Turn) => {
    const before = turn.id;
    turn = next;
    change(cache, session, (chat) => ({
      ...chat,
      messages: chat.messages.map((message) => (message.id === before ? next : message)),
    }));
  };
  try {
    const response = await fetch(`/api/sessions/${encodeURIComponent(session)}/messages`, {
      method: "POST",
      credentials: "same-origin",
      headers: { ...WEB_HEADER, "content-type": "application/json" },
      body: JSON.stringify({ text }),
      signal: abort.signal,
    });
    if (!response.ok) throw new ProblemError(await problemOf(response));
    for await (const event of events(response)) {
      const part = event as Part;
      show(told(turn, part));
      if (part.type === "sentence") announce(plain(part.sentence.text));
      if (part.type === "done") change(cache, session, (chat) => ({ ...chat, title: part.title }));
    }
    if (turn.streaming) throw new ProblemError(BROKE_OFF);
    announce(ending(turn));
  } catch (error) {
    if (abort.signal.aborted) {
      show({ ...turn, outcome: "stopped", streaming: false });
      announce("The answer was stopped.");
    } else {
      show({ ...turn, outcome: "failed", streaming: false, problem: asProblem(error) });
    }
  } finally {
    running.delete(session);
    void cache.invalidateQueries({ queryKey: sessionsQuery.queryKey });
  }
}

function ending(turn: Turn): string {
  const sources = turn.citations.length;
  if (turn.outcome === "abstained") return "The assistant does not know.";
  return `The answer is complete, with ${sources} ${sources === 1 ? "source" : "sources"}.`;
}

export function change(cache: QueryClient, session: string, update: (chat: Conversation) => Conversation) {
  cache.setQueryData<Conversation>(conversationKey(session), (chat) => chat && update(chat));
}

/** A conversation as the page holds it: the server's messages, plus what is only true while an answer arrives. */
import { localId } from "@/lib/id";
import type { Part } from "@/lib/api/parts";
import type { Message, Problem, SessionDetail } from "@/lib/api/types";

export type Turn = Message & {
  streaming?: boolean;
  problem?: Problem;
  searched?: { query: string; passages: number; documents: number };
};

export type Conversation = Omit<SessionDetail, "messages"> & { messages: Turn[] };

const blank = { sentences: [], citations: [], outcome: null, mode: null, usage: null, feedback: null };

/** The two turns that a question opens, before the server has named them. */
export function opened(text: string, now: string): [Turn, Turn] {
  return [
    { ...blank, id: localId("question"), role: "reader", created_at: now, text },
    { ...blank, id: localId("answer"), role: "assistant", created_at: now, text: "", streaming: true },
  ];
}

/** The answer's turn after one more part of the stream. */
export function told(turn: Turn, part: Part): Turn {
  switch (part.type) {
    case "started":
      return { ...turn, id: part.message, mode: part.mode };
    case "searched":
      return { ...turn, searched: { query: part.query, passages: part.passages, documents: part.documents } };
    case "citation":
      return { ...turn, citations: [...turn.citations, part.citation] };
    case "sentence":
      return { ...turn, sentences: [...turn.sentences, part.sentence], text: turn.text + part.sentence.text };
    case "usage":
      return { ...turn, usage: part.usage };
    case "done":
      return { ...turn, outcome: part.outcome, mode: part.mode, streaming: false };
    case "error":
      return { ...turn, problem: part.problem, outcome: "failed", streaming: false };
  }
}

/** Text for people and screen readers: Markdown's marks taken away. */
export const plain = (markdown: string) =>
  markdown
    .replace(/^\s*\|?[\s:|-]+\|\s*$/gm, "")
    .replace(/^\s*(#{1,6}|[-*+]|\d+\.|>)\s+/gm, "")
    .replace(/[*_`|]+/g, " ")
    .replace(/\s+/g, " ")
    .trim();

/** An answer for the clipboard: its text with [n] after each sentence, and the sources below. */
export function withCitations(turn: Turn): string {
  const text = turn.sentences
    .map(({ text, citations }) => {
      const end = text.trimEnd();
      const marks = citations.map((number) => `[${number}]`).join("");
      return marks ? `${end} ${marks}${text.slice(end.length)}` : text;
    })
    .join("")
    .trim();
  const sources = turn.citations.map(
    ({ number, title, page, quote }) =>
      `[${number}] ${title}${page ? `, page ${page}` : ""}: “${plain(quote)}”`,
  );
  return sources.length ? `${text}\n\n${sources.join("\n")}` : text;
}

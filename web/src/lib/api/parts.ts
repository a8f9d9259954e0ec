/** The typed parts of a streamed answer, as the server sends them, one per event. */
import type { Citation, MessageUsage, Mode, Outcome, Problem, Sentence } from "./types";

export type Part =
  | { type: "started"; question: string; message: string; mode: Mode }
  | { type: "searched"; query: string; passages: number; documents: number }
  | { type: "citation"; citation: Citation }
  | { type: "sentence"; sentence: Sentence }
  | { type: "usage"; usage: MessageUsage }
  | { type: "done"; outcome: Outcome; mode: Mode; title: string }
  | { type: "error"; problem: Problem };

import type { Part } from "@/lib/api/parts";
import { opened, plain, told, withCitations } from "./turns";

const parts: Part[] = [
  { type: "started", question: "q", message: "m", mode: "generative" },
  { type: "searched", query: "cold", passages: 8, documents: 3 },
  {
    type: "citation",
    citation: {
      number: 1,
      document: "d",
      title: "SOP",
      media: "text/plain",
      page: 2,
      headings: [],
      start: 0,
      end: 4,
      quote: "Cold.",
      score: 1,
    },
  },
  { type: "sentence", sentence: { text: "**Cold.** ", support: "supported", citations: [1] } },
  { type: "sentence", sentence: { text: "Dark.", support: "unsupported", citations: [] } },
  { type: "done", outcome: "answered", mode: "generative", title: "Cold" },
];

const answered = () => parts.reduce(told, opened("How?", "2026-11-22T09:30:00Z")[1]);

test("parts make an answer", () => {
  expect(answered()).toMatchObject({
    id: "m",
    text: "**Cold.** Dark.",
    outcome: "answered",
    streaming: false,
  });
});

test("an error ends the answer and keeps what was said", () => {
  const problem = { type: "x", title: "Broken", status: 503, detail: "Ask again." };
  const turn = told(parts.slice(0, 4).reduce(told, opened("How?", "2026-11-22T09:30:00Z")[1]), {
    type: "error",
    problem,
  });
  expect(turn).toMatchObject({ outcome: "failed", streaming: false, problem, text: "**Cold.** " });
});

test("a copied answer carries its numbers and its sources", () => {
  expect(withCitations(answered())).toBe("**Cold.** [1] Dark.\n\n[1] SOP, page 2: “Cold.”");
});

test("what is read aloud has no marks of Markdown", () => {
  expect(plain("## Title\n- **one** `two`\n| a | b |\n| --- | --- |")).toBe("Title one two a b");
});

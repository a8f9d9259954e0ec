import type { Citation, Sentence } from "@/lib/api/types";
import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { AnswerText } from "./answer-text";

const citation = (number: number): Citation => ({
  number,
  document: "d",
  title: `Document ${number}`,
  media: "application/pdf",
  page: 2,
  headings: ["Storage"],
  start: 0,
  end: 4,
  quote: "A quote",
  score: 0.9,
});

const say = (text: string, ...citations: number[]): Sentence => ({
  text,
  support: citations.length ? "supported" : "none",
  citations,
});

function show(...sentences: Sentence[]) {
  const opened: number[] = [];
  const numbers = [...new Set(sentences.flatMap((sentence) => sentence.citations))];
  const { container } = render(
    <AnswerText
      sentences={sentences}
      citations={numbers.map(citation)}
      onOpen={(cited) => opened.push(cited.number)}
    />,
  );
  return { container, opened };
}

test("each sentence is followed by the numbers of its own sources", () => {
  const { container } = show(say("It is cold. ", 1), say("It is dark.", 2, 3));
  expect(container.textContent).toBe("It is cold.1 It is dark.23");
});

test("marks never show, not even when the text brings its own", () => {
  const { container } = show(say("Odd \uE0007\uE001 text.", 1), say(" More."));
  expect(container.textContent).not.toMatch(/[\uE000\uE001]/);
});

test("a table stays whole and keeps the source of its sentence in its last cell", () => {
  show(say("| Dose | Interval |\n| --- | --- |\n| 150 mg | 4 weeks |\n", 1));
  const cells = within(screen.getByRole("table")).getAllByRole("cell");
  expect(cells).toHaveLength(2);
  expect(cells[1]).toHaveTextContent("4 weeks1");
});

test("a code block keeps its fence and its source", () => {
  const { container } = show(say("```\nkeep 2 to 8\n```\n", 1), say("Then rest."));
  expect(container.querySelector("pre")).toHaveTextContent("keep 2 to 8");
  expect(screen.getByRole("button", { name: /Source 1/ })).toBeInTheDocument();
});

test("list items carry their own sources", () => {
  show(say("- **Range:** cold.\n", 1), say("- Never frozen.\n", 2));
  const items = screen.getAllByRole("listitem");
  expect(items.map((item) => item.textContent)).toEqual(["Range: cold.1", "Never frozen.2"]);
});

test("a sentence that ends inside emphasis is still marked", () => {
  show(say("**All of it. ", 1), say("Really.**", 2));
  expect(screen.getAllByRole("button").map((button) => button.textContent)).toEqual(["1", "2"]);
});

test("an unsupported sentence is marked and says why", async () => {
  const { container } = show(say("Known. ", 1), {
    text: "Made up entirely.",
    support: "unsupported",
    citations: [],
  });
  const marked = [...container.querySelectorAll('[data-support="unsupported"]')].map(
    (part) => part.textContent,
  );
  expect(marked.join("")).toBe("Made up entirely.");
  await userEvent.click(screen.getByRole("button", { name: "no source" }));
  expect(await screen.findByRole("dialog")).toHaveTextContent(
    "Nothing in the documents supports this sentence",
  );
});

test("pressing a number opens that source", async () => {
  const { opened } = show(say("It is cold. ", 1), say("It is dark.", 2));
  await userEvent.click(screen.getByRole("button", { name: /Source 2: Document 2, page 2/ }));
  expect(opened).toEqual([2]);
});

test("links, pictures and raw HTML lead nowhere", () => {
  const { container } = show(
    say('[a](https://x.example) ![b](https://x.example/b.png) <img src="https://x.example/c.png">'),
  );
  expect(container.querySelector("a, img")).toBeNull();
});

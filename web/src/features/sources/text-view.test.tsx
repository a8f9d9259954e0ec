import type { DocumentText } from "@/lib/api/types";
import { render, screen, within } from "@testing-library/react";
import { TextView } from "./text-view";

/** As the server counts: by code points. */
const characters = (text: string) => Array.from(text).length;

function document(...blocks: [DocumentText["blocks"][number]["kind"], string][]): DocumentText {
  let text = "";
  const made = blocks.map(([kind, content]) => {
    const start = characters(text);
    text += `${content}\n\n`;
    return { kind, start, end: start + characters(content), page: null, level: 1 };
  });
  return { text, pages: [], blocks: made };
}

function show(content: DocumentText, quote: string) {
  const start = characters(content.text.slice(0, content.text.indexOf(quote)));
  const { container } = render(
    <TextView content={content} mark={{ start, end: start + characters(quote) }} />,
  );
  return [...container.querySelectorAll("mark")].map((mark) => mark.textContent);
}

test("exactly the cited span is marked", () => {
  expect(show(document(["paragraph", "Before. The span. After."]), "The span.")).toEqual(["The span."]);
});

test("a row of a table is marked cell by cell in a real table", () => {
  const table = "| Dose | Interval |\n| --- | --- |\n| 150 mg | 4 weeks |\n| 75 mg | 6 weeks |";
  expect(show(document(["table", table]), "| 75 mg | 6 weeks |")).toEqual(["75 mg", "6 weeks"]);
  expect(
    within(screen.getByRole("table"))
      .getAllByRole("columnheader")
      .map((cell) => cell.textContent),
  ).toEqual(["Dose", "Interval"]);
});

test("headings and lists lose their markers, not their words", () => {
  show(document(["heading", "## Storage"], ["list", "- one\n- two"]), "two");
  expect(screen.getByRole("heading")).toHaveTextContent(/^Storage$/);
  expect(screen.getAllByRole("listitem").map((item) => item.textContent)).toEqual(["one", "two"]);
});

test("the server's offsets count characters, not UTF-16 units", () => {
  expect(show(document(["paragraph", "Warm 🧊🧊 and cold."]), "cold")).toEqual(["cold"]);
});

test("a text without blocks is shown by paragraphs", () => {
  render(<TextView content={{ text: "One.\n\nTwo.", pages: [], blocks: [] }} mark={{ start: 6, end: 10 }} />);
  expect(screen.getByText("One.")).toBeInTheDocument();
  expect(screen.getByText("Two.").tagName).toBe("MARK");
});

import { match } from "./match";

const found = (pieces: string[], quote: string) =>
  match(pieces, quote).map(({ piece, start, end }) => pieces[piece]!.slice(start, end));

test("a quote is found across line breaks, hyphens and case", () => {
  expect(found(["Keep the prod-", "uct between 2", " °C and 8 °C."], "the product between 2 °C")).toEqual([
    "the prod",
    "uct between 2",
    " °C".slice(2, 3),
  ]);
});

test("only what belongs to the quote is marked", () => {
  expect(found(["Before. The words. After."], "The words.")).toEqual(["The words"]);
});

test("ligatures count as their letters", () => {
  expect(found(["the ﬁnal step"], "final")).toEqual(["ﬁnal"]);
});

test("a table's row is found without its bars", () => {
  expect(found(["Moderate", "30 to 59", "150 mg"], "| Moderate | 30 to 59 | 150 mg |")).toEqual([
    "Moderate",
    "30 to 59",
    "150 mg",
  ]);
});

test("a quote that a footer interrupts is marked up to there", () => {
  const pieces = ["The quality unit decides on every excursion", "Page 2", "within two days"];
  expect(found(pieces, "The quality unit decides on every excursion within two days")).toEqual([pieces[0]]);
});

test("words that are not there are not found", () => {
  expect(match(["Nothing of the kind"], "Something else entirely")).toEqual([]);
  expect(match(["Nothing"], "—")).toEqual([]);
});

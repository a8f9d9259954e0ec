/** Finds a quote in the pieces of text that a page is made of, whatever white space, hyphens and line breaks lie between. */

export type Span = { piece: number; start: number; end: number };

type Letters = { text: string; places: { piece: number; offset: number }[] };

/** Letters and digits only, in lower case, each with the place it came from. */
function letters(pieces: readonly string[]): Letters {
  let text = "";
  const places: Letters["places"] = [];
  pieces.forEach((content, piece) => {
    let offset = 0;
    for (const character of content) {
      for (const letter of character.normalize("NFKC").toLowerCase()) {
        if (!/[\p{L}\p{N}]/u.test(letter)) continue;
        text += letter;
        for (let unit = 0; unit < letter.length; unit += 1) places.push({ piece, offset });
      }
      offset += character.length;
    }
  });
  return { text, places };
}

/** A quote whose end differs from the page (a footer in between, say) is still found by this many of its first letters. */
const ENOUGH = 24;

/** The spans of the quote, one for each piece it touches; none if it is not there. */
export function match(pieces: readonly string[], quote: string): Span[] {
  const wanted = letters([quote]).text;
  if (!wanted) return [];
  const { text, places } = letters(pieces);
  let at = text.indexOf(wanted);
  let length = wanted.length;
  if (at < 0 && wanted.length > ENOUGH) {
    at = text.indexOf(wanted.slice(0, ENOUGH));
    length = ENOUGH;
    while (at >= 0 && length < wanted.length && text[at + length] === wanted[length]) length += 1;
  }
  if (at < 0) return [];
  const spans: Span[] = [];
  for (const { piece, offset } of places.slice(at, at + length)) {
    const last = spans.at(-1);
    const end = offset + String.fromCodePoint(pieces[piece]!.codePointAt(offset)!).length;
    if (last?.piece === piece) last.end = end;
    else spans.push({ piece, start: offset, end });
  }
  return spans;
}

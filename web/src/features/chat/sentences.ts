/**
 * Keeps sentences recognisable through Markdown. Each sentence ends in a mark made of two private-use characters around its
 * index; after Markdown has been read, whatever lies before a mark, back to the previous one, is that sentence.
 */
import type { Sentence } from "@/lib/api/types";
import type { Element, ElementContent, Root, RootContent, Text } from "hast";

const OPEN = "\uE000";
const CLOSE = "\uE001";
const MARK = new RegExp(`${OPEN}(\\d+)${CLOSE}`);

/** The answer's Markdown with a mark at the end of each sentence. */
export function marked(sentences: readonly Sentence[]): string {
  return sentences
    .map(({ text }, index) => {
      const clean = text.replaceAll(OPEN, "").replaceAll(CLOSE, "");
      const end = clean.trimEnd();
      const space = clean.slice(end.length);
      const mark = `${OPEN}${index}${CLOSE}`;
      if (!end) return clean;
      // A table's last row must keep its closing bar last, or the mark becomes a cell too many.
      if (end.endsWith("|")) return `${end.slice(0, -1).trimEnd()}${mark} |${space}`;
      // A fence must stay alone on its line.
      if (/(^|\n)\s*(```|~~~)$/.test(end)) return `${end}\n\n${mark}${space}`;
      return `${end}${mark}${space}`;
    })
    .join("");
}

const BLOCKS = new Set([
  "p",
  "ul",
  "ol",
  "li",
  "table",
  "thead",
  "tbody",
  "tr",
  "td",
  "th",
  "blockquote",
  "pre",
  "hr",
]);
const HOLLOW = new Set(["ul", "ol", "table", "thead", "tbody", "tr"]);
const isBlock = (element: Element) => BLOCKS.has(element.tagName) || /^h[1-6]$/.test(element.tagName);

type Node = RootContent | ElementContent;

const holdsMark = (node: Node): boolean =>
  node.type === "text" ? MARK.test(node.value) : node.type === "element" && node.children.some(holdsMark);

function span(properties: Element["properties"], children: ElementContent[]): Element {
  return { type: "element", tagName: "span", properties, children };
}

/** Takes the last word off a sentence and binds it to the sources that follow, so that no line begins with a lone number. */
function joined(out: Node[], sources: Element): Element {
  const sentence = out.at(-1);
  if (sentence?.type !== "element" || sentence.tagName !== "span") return sources;
  const last = sentence.children.at(-1);
  const word = last?.type === "text" ? /\s(\S{1,24})$/.exec(last.value)?.[1] : undefined;
  if (last?.type !== "text" || !word) return sources;
  last.value = last.value.slice(0, -word.length);
  const end = span({ ...sentence.properties }, [{ type: "text", value: word }]);
  return span({ dataBound: "true" }, [end, sources]);
}

/** Wraps each sentence as `<span data-sentence="i">` and puts `<span data-sources="i">` after it. */
export function rehypeSentences() {
  return (tree: Root) => {
    let open: Element[] = [];

    const close = (index: number): Element => {
      for (const element of open) element.properties["dataSentence"] = String(index);
      open = [];
      return span({ dataSources: String(index) }, []);
    };

    const split = (text: Text): (Text | number)[] =>
      text.value
        .split(new RegExp(`${OPEN}(\\d+)${CLOSE}`))
        .map((piece, at): Text | number => (at % 2 ? Number(piece) : { type: "text", value: piece }))
        .filter((piece) => typeof piece === "number" || piece.value !== "");

    const walk = (children: readonly Node[], hollow: boolean): Node[] => {
      const out: Node[] = [];
      let held: ElementContent[] = [];
      const flush = () => {
        if (held.some((node) => node.type !== "text" || node.value.trim())) {
          const first = held[0];
          // White space between two sentences belongs to neither.
          if (first?.type === "text" && /^\s/.test(first.value)) {
            const words = first.value.trimStart();
            out.push({ type: "text", value: first.value.slice(0, first.value.length - words.length) });
            held[0] = { type: "text", value: words };
          }
          const wrapper = span({}, held);
          open.push(wrapper);
          out.push(wrapper);
        } else out.push(...held);
        held = [];
      };
      for (const child of children) {
        if (child.type === "text") {
          for (const piece of split(child)) {
            if (typeof piece !== "number") (hollow ? out : held).push(piece);
            else {
              flush();
              out.push(joined(out, close(piece)));
            }
          }
        } else if (child.type === "element" && (isBlock(child) || holdsMark(child))) {
          flush();
          child.children = walk(child.children, HOLLOW.has(child.tagName)) as ElementContent[];
          out.push(child);
        } else if (hollow || child.type === "doctype") out.push(child);
        else held.push(child);
      }
      flush();
      return out;
    };

    tree.children = walk(tree.children, true);
  };
}

import type { Block, DocumentText } from "@/lib/api/types";
import { cn } from "@/lib/cn";
import { useEffect, useRef, type ReactNode } from "react";

type Range = { start: number; end: number };
type Props = { content: DocumentText; mark: Range | undefined };

/** A document as text, laid out by its blocks, with the cited span marked and in view. */
export function TextView({ content, mark }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  useEffect(() => {
    scroller.current?.querySelector("mark")?.scrollIntoView({ block: "center" });
  }, [content, mark?.start, mark?.end]);
  const at = units(content.text);
  const given = content.blocks.map((block) => ({ ...block, start: at(block.start), end: at(block.end) }));
  const blocks = given.length ? given : whole(content.text);
  const cited = mark && { start: at(mark.start), end: at(mark.end) };
  return (
    <div
      ref={scroller}
      tabIndex={0}
      role="region"
      aria-label="Text of the document"
      className="min-h-0 flex-1 overflow-auto px-6 py-6 focus-visible:-outline-offset-2"
    >
      <div className="mx-auto grid max-w-2xl gap-3.5 leading-relaxed [&>*]:min-w-0">
        {blocks.map((block) => (
          <BlockView key={block.start} block={block} text={content.text} mark={cited} />
        ))}
      </div>
    </div>
  );
}

/** The server counts characters, JavaScript counts UTF-16 units: they differ after an emoji or a rare sign. */
function units(text: string): (offset: number) => number {
  if (!/[\u{10000}-\u{10FFFF}]/u.test(text)) return (offset) => offset;
  const starts: number[] = [];
  let unit = 0;
  for (const character of text) {
    starts.push(unit);
    unit += character.length;
  }
  return (offset) => starts[offset] ?? unit;
}

const whole = (text: string): Block[] => {
  const found: Block[] = [];
  for (const { 0: piece, index } of text.matchAll(/\S[\s\S]*?(?=\n\s*\n|$(?![\s\S]))/g)) {
    found.push({ kind: "paragraph", start: index, end: index + piece.length, page: null, level: 0 });
  }
  return found;
};

function BlockView({ block, text, mark }: { block: Block; text: string; mark: Range | undefined }) {
  const show = (start: number, end: number) => <Marked text={text} start={start} end={end} mark={mark} />;
  switch (block.kind) {
    case "heading": {
      const start = skip(text, block, /^\s*#{1,6}\s+/);
      const top = block.level <= 1;
      return (
        <p
          role="heading"
          aria-level={Math.min(block.level + 2, 6)}
          className={cn("font-display font-semibold", top ? "text-xl" : "mt-2 text-base")}
        >
          {show(start, block.end)}
        </p>
      );
    }
    case "table":
      return <TableView block={block} text={text} show={show} />;
    case "list":
      return (
        <ul className="grid list-disc gap-1 pl-5 marker:text-quiet">
          {lines(text, block).map(({ start, end }) => (
            <li key={start}>{show(skip(text, { start, end }, /^\s*(?:[-*+•]|\d+[.)])\s+/), end)}</li>
          ))}
        </ul>
      );
    case "code":
      return (
        <pre tabIndex={0} className="overflow-x-auto rounded-xl bg-sunken p-4 text-[13px]">
          {show(block.start, block.end)}
        </pre>
      );
    case "paragraph":
      return <p className="whitespace-pre-line">{show(block.start, block.end)}</p>;
  }
}

function TableView({
  block,
  text,
  show,
}: {
  block: Block;
  text: string;
  show: (start: number, end: number) => ReactNode;
}) {
  const rows = lines(text, block).filter(
    ({ start, end }) => !/^\s*\|?[\s:|-]+\|?\s*$/.test(text.slice(start, end)),
  );
  const [head, ...body] = rows.map((row) => cells(text, row));
  return (
    <div
      tabIndex={0}
      role="group"
      aria-label="Table"
      className="overflow-x-auto rounded-xl border border-line"
    >
      <table className="sheet-table">
        <thead>
          <tr>
            {head?.map(({ start, end }) => (
              <th key={start} scope="col">
                {show(start, end)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {body.map((row) => (
            <tr key={row[0]?.start}>
              {row.map(({ start, end }) => (
                <td key={start}>{show(start, end)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** A stretch of text; what of it lies in the cited span is marked. */
function Marked({ text, start, end, mark }: { text: string; mark: Range | undefined } & Range) {
  const from = Math.max(start, mark?.start ?? end);
  const till = Math.min(end, mark?.end ?? start);
  if (from >= till) return text.slice(start, end);
  return (
    <>
      {text.slice(start, from)}
      <mark className="evidence">{text.slice(from, till)}</mark>
      {text.slice(till, end)}
    </>
  );
}

/** Where the text begins after a marker of Markdown. */
function skip(text: string, { start, end }: Range, marker: RegExp): number {
  return start + (marker.exec(text.slice(start, end))?.[0].length ?? 0);
}

function lines(text: string, { start, end }: Range): Range[] {
  const found: Range[] = [];
  let from = start;
  for (const line of text.slice(start, end).split("\n")) {
    if (line.trim()) found.push({ start: from, end: from + line.length });
    from += line.length + 1;
  }
  return found;
}

/** The cells of a pipe-table row, without the blanks around them. A bar behind a backslash belongs to its cell. */
export function cells(text: string, { start, end }: Range): Range[] {
  const row = text.slice(start, end);
  const bars = [...row.matchAll(/(?<!\\)\|/g)].map((found) => found.index);
  if (!row.trimStart().startsWith("|")) bars.unshift(-1);
  if (!row.trimEnd().endsWith("|") || bars.length < 2) bars.push(row.length);
  return bars.slice(0, -1).map((bar, index) => {
    const cell = row.slice(bar + 1, bars[index + 1]);
    const from = start + bar + 1 + (cell.length - cell.trimStart().length);
    return { start: from, end: from + cell.trim().length };
  });
}

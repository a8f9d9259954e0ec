import type { Citation, Sentence } from "@/lib/api/types";
import { createContext, memo, use, useMemo, type ComponentProps } from "react";
import Markdown, { type Components } from "react-markdown";
import remarkGfm from "remark-gfm";
import { marked, rehypeSentences } from "./sentences";
import { DoubtMark, SourceChip } from "./source-chip";

type Props = { sentences: Sentence[]; citations: Citation[]; onOpen: (citation: Citation) => void };

const Answer = createContext<Props>({ sentences: [], citations: [], onOpen: () => undefined });

const REMARK = [remarkGfm];
const REHYPE = [rehypeSentences];

/** The same functions at every render: what is shown already must not be made anew when a sentence arrives. */
const COMPONENTS: Components = {
  a: ({ children }) => <span>{children}</span>,
  img: ({ alt }) => <span>{alt}</span>,
  table: ({ children }) => (
    <div
      role="group"
      aria-label="Table"
      tabIndex={0}
      className="overflow-x-auto rounded-xl border border-line"
    >
      <table className="sheet-table">{children}</table>
    </div>
  ),
  span: Piece,
};

/** An answer's Markdown: no raw HTML, no pictures, no links but those to its sources. */
export const AnswerText = memo(function AnswerText({ sentences, citations, onOpen }: Props) {
  const value = useMemo(() => ({ sentences, citations, onOpen }), [sentences, citations, onOpen]);
  return (
    <Answer value={value}>
      <div className="answer">
        <Markdown remarkPlugins={REMARK} rehypePlugins={REHYPE} components={COMPONENTS}>
          {marked(sentences)}
        </Markdown>
      </div>
    </Answer>
  );
});

type PieceProps = ComponentProps<"span"> & {
  "data-sentence"?: string;
  "data-sources"?: string;
  "data-bound"?: string;
};

function Piece({ children, ...rest }: PieceProps) {
  const { sentences } = use(Answer);
  if (rest["data-bound"]) return <span className="whitespace-nowrap">{children}</span>;
  const sentence = sentences[Number(rest["data-sentence"] ?? rest["data-sources"])];
  if (!sentence) return <span>{children}</span>;
  if (rest["data-sources"] !== undefined) return <Sources sentence={sentence} />;
  if (sentence.support !== "unsupported") return <span className="animate-fade">{children}</span>;
  return (
    <span
      data-support="unsupported"
      className="animate-fade bg-doubt-soft box-decoration-clone underline decoration-doubt decoration-dotted decoration-2 underline-offset-4"
    >
      {children}
    </span>
  );
}

function Sources({ sentence }: { sentence: Sentence }) {
  const { citations, onOpen } = use(Answer);
  if (sentence.support === "unsupported") return <DoubtMark />;
  const cited = sentence.citations
    .map((number) => citations.find((citation) => citation.number === number))
    .filter((citation) => citation !== undefined);
  if (!cited.length) return null;
  return (
    <span className="ml-1 inline-flex gap-1 align-[0.12em] whitespace-nowrap">
      {cited.map((citation) => (
        <SourceChip key={citation.number} citation={citation} onOpen={onOpen} />
      ))}
    </span>
  );
}

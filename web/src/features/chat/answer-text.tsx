import type { Citation, Sentence } from "@/lib/api/types";
import { memo, type ComponentProps, type ReactNode } from "react";
import Markdown, { type Components } from "react-markdown";
import remarkGfm from "remark-gfm";
import { DoubtMark, SourceChip } from "./source-chip";
import { marked, rehypeSentences } from "./sentences";

type Props = { sentences: Sentence[]; citations: Citation[]; onOpen: (citation: Citation) => void };

const PLUGINS = { remark: [remarkGfm], rehype: [rehypeSentences] };

/** An answer's Markdown: no raw HTML, no pictures, no links but those to its sources. */
export const AnswerText = memo(function AnswerText({ sentences, citations, onOpen }: Props) {
  const components: Components = {
    a: ({ children }: { children?: ReactNode }) => <span>{children}</span>,
    img: ({ alt }) => <span>{alt}</span>,
    table: ({ children }) => (
      <div
        role="region"
        aria-label="Table"
        tabIndex={0}
        className="overflow-x-auto rounded-xl border border-line"
      >
        <table className="sheet-table">{children}</table>
      </div>
    ),
    span: ({
      children,
      ...rest
    }: ComponentProps<"span"> & { "data-sentence"?: string; "data-sources"?: string }) => {
      const sentence = sentences[Number(rest["data-sentence"] ?? rest["data-sources"])];
      if (!sentence) return <span>{children}</span>;
      if (rest["data-sources"] !== undefined) {
        return <Sources sentence={sentence} citations={citations} onOpen={onOpen} />;
      }
      if (sentence.support !== "unsupported") return <span className="animate-fade">{children}</span>;
      return (
        <span
          data-support="unsupported"
          className="animate-fade rounded-sm bg-doubt-soft box-decoration-clone px-0.5 underline decoration-doubt decoration-dotted decoration-2 underline-offset-4"
        >
          {children}
        </span>
      );
    },
  };
  return (
    <div className="answer">
      <Markdown remarkPlugins={PLUGINS.remark} rehypePlugins={PLUGINS.rehype} components={components}>
        {marked(sentences)}
      </Markdown>
    </div>
  );
});

function Sources({ sentence, citations, onOpen }: { sentence: Sentence } & Omit<Props, "sentences">) {
  const cited = sentence.citations
    .map((number) => citations.find((citation) => citation.number === number))
    .filter((citation) => citation !== undefined);
  if (sentence.support === "unsupported") return <DoubtMark />;
  if (!cited.length) return null;
  return (
    <span className="ml-1 inline-flex gap-1 align-[0.12em] whitespace-nowrap">
      {cited.map((citation) => (
        <SourceChip key={citation.number} citation={citation} onOpen={onOpen} />
      ))}
    </span>
  );
}

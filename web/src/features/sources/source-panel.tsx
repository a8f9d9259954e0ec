import { ProblemCard } from "@/components/problem-card";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/card";
import { Hint } from "@/components/ui/tooltip";
import { asProblem } from "@/lib/api/problem";
import { documentTextQuery } from "@/lib/api/queries";
import { kind } from "@/lib/format";
import { useQuery } from "@tanstack/react-query";
import { ChevronLeft, ChevronRight, Download, X } from "lucide-react";
import { lazy, Suspense, useEffect, useRef, type ReactNode } from "react";
import { TextView } from "./text-view";

const PdfView = lazy(() => import("./pdf-view"));

export type Source = {
  document: string;
  title: string;
  media: string;
  page?: number | null;
  headings?: string[];
  mark?: { start: number; end: number };
  quote?: string;
};

type Props = {
  source: Source;
  onClose: () => void;
  /** The other sources of the same answer, to step through. */
  step?: { at: number; of: number; go: (by: 1 | -1) => void };
  children?: ReactNode;
};

/** A document beside the conversation, open at the cited place. */
export function SourcePanel({ source, onClose, step, children }: Props) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus({ preventScroll: true }), [source.document, source.quote]);
  const where = [source.page ? `page ${source.page}` : "", ...(source.headings ?? [])].filter(Boolean);
  return (
    <div className="flex min-h-0 flex-1 flex-col" data-source={source.document}>
      <header className="border-b border-line p-4 pb-3">
        <div className="flex items-start gap-3">
          <div className="min-w-0 flex-1">
            <h2 ref={heading} tabIndex={-1} className="text-[17px] leading-snug font-semibold outline-none">
              {source.title}
            </h2>
            <p className="mt-1 flex flex-wrap items-center gap-x-2 gap-y-1 text-xs text-quiet">
              <Badge>{kind(source.media)}</Badge>
              {where.join(" › ")}
            </p>
          </div>
          <div className="-mt-1 -mr-1 flex">
            <Hint text="Download the original" side="bottom">
              <Button look="quiet" size="icon-sm" asChild>
                <a
                  href={`/api/documents/${encodeURIComponent(source.document)}/original`}
                  download
                  aria-label="Download the original"
                >
                  <Download />
                </a>
              </Button>
            </Hint>
            <Button look="quiet" size="icon-sm" aria-label="Close the source" onClick={onClose}>
              <X />
            </Button>
          </div>
        </div>
        {children}
        {step && step.of > 1 ? (
          <div className="mt-3 flex items-center gap-1 text-xs text-quiet">
            <Button
              look="soft"
              size="icon-sm"
              aria-label="Previous source"
              disabled={step.at === 0}
              onClick={() => step.go(-1)}
            >
              <ChevronLeft />
            </Button>
            <span className="px-1 tabular">
              Source {step.at + 1} of {step.of}
            </span>
            <Button
              look="soft"
              size="icon-sm"
              aria-label="Next source"
              disabled={step.at === step.of - 1}
              onClick={() => step.go(1)}
            >
              <ChevronRight />
            </Button>
          </div>
        ) : null}
      </header>
      {source.media.startsWith("application/pdf") ? (
        <Suspense fallback={<Waiting />}>
          <PdfView
            key={source.document}
            document={source.document}
            quote={source.quote}
            page={source.page ?? null}
          />
        </Suspense>
      ) : (
        <DocumentBody source={source} />
      )}
    </div>
  );
}

function DocumentBody({ source }: { source: Source }) {
  const { data, error, refetch } = useQuery(documentTextQuery(source.document));
  if (error) return <ProblemCard problem={asProblem(error)} onRetry={() => void refetch()} className="m-4" />;
  return data ? <TextView content={data} mark={source.mark} /> : <Waiting />;
}

function Waiting() {
  return (
    <div role="status" aria-label="Opening the document" className="grid gap-3 p-6">
      {["w-2/3", "w-full", "w-full", "w-5/6", "w-1/2", "w-full"].map((width, index) => (
        <Skeleton key={index} className={`h-4 ${width}`} />
      ))}
    </div>
  );
}

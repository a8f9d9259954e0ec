import { ProblemCard } from "@/components/problem-card";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/card";
import { ChevronDown, ChevronUp, LocateFixed, ZoomIn, ZoomOut } from "lucide-react";
import { useCallback, useEffect, useRef, useState } from "react";
import { locate, usePdf } from "./pdf";
import { PdfPage } from "./pdf-page";

type Props = { document: string; quote: string | undefined; page: number | null };

const PADDING = 20;
const ZOOMS = [0.75, 1, 1.25, 1.5, 2, 3];
const UNREADABLE = {
  type: "urn:strata:problem:pdf",
  title: "This PDF cannot be shown",
  status: 0,
  detail: "The file may be damaged or protected. Download the original to open it in another program.",
};

/** A PDF in full, opened at the page of the quote with the quote marked. */
export default function PdfView({ document, quote, page }: Props) {
  const { pdf, failed } = usePdf(`/api/documents/${encodeURIComponent(document)}/original`);
  const scroller = useRef<HTMLDivElement>(null);
  const mark = useRef<HTMLElement>(null);
  const [size, setSize] = useState<{ width: number; height: number }>();
  const [width, setWidth] = useState(0);
  const [zoom, setZoom] = useState(1);
  const [shown, setShown] = useState(1);
  const [found, setFound] = useState<{ quote: string; page: number | null }>();

  useEffect(() => {
    if (!scroller.current) return;
    const watch = new ResizeObserver(([entry]) => entry && setWidth(Math.floor(entry.contentRect.width)));
    watch.observe(scroller.current);
    return () => watch.disconnect();
  }, []);

  useEffect(() => {
    if (!pdf) return;
    let gone = false;
    const open = async () => {
      const { width, height } = (await pdf.getPage(page ?? 1)).getViewport({ scale: 1 });
      const where = quote ? await locate(pdf, quote, page) : null;
      if (gone) return;
      setSize({ width, height });
      if (quote) setFound({ quote, page: where });
    };
    open().catch(() => undefined);
    return () => {
      gone = true;
    };
  }, [pdf, quote, page]);

  const scale = size && width ? ((width - PADDING) / size.width) * zoom : 0;
  const target = found && found.quote === quote ? (found.page ?? page) : page;

  const turn = useCallback((number: number) => {
    scroller.current?.querySelector(`[data-page="${number}"]`)?.scrollIntoView({ block: "start" });
  }, []);

  const onMarked = useCallback((element: HTMLElement) => {
    mark.current = element;
    element.scrollIntoView({ block: "center" });
  }, []);

  useEffect(() => {
    if (scale && target) turn(target);
    // Only when the pages first have a size, or another page is wanted: zooming keeps the reader's place.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [scale > 0, target, turn]);

  const follow = () => {
    const top = scroller.current?.getBoundingClientRect().top ?? 0;
    const half = (scroller.current?.clientHeight ?? 0) / 2;
    const pages = [...(scroller.current?.querySelectorAll<HTMLElement>("[data-page]") ?? [])];
    const current = pages.findLast((element) => element.getBoundingClientRect().top - top < half);
    setShown(Number(current?.dataset["page"] ?? 1));
  };

  const step = (by: 1 | -1) => {
    const next = ZOOMS[ZOOMS.indexOf(zoom) + by];
    if (next) setZoom(next);
  };

  if (failed) return <ProblemCard problem={UNREADABLE} className="m-4" />;
  const total = pdf?.numPages ?? 0;
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex items-center gap-0.5 border-b border-line px-3 py-1.5">
        <Button
          look="quiet"
          size="icon-sm"
          aria-label="Previous page"
          disabled={shown <= 1}
          onClick={() => turn(shown - 1)}
        >
          <ChevronUp />
        </Button>
        <Button
          look="quiet"
          size="icon-sm"
          aria-label="Next page"
          disabled={shown >= total}
          onClick={() => turn(shown + 1)}
        >
          <ChevronDown />
        </Button>
        <p className="px-1 text-xs whitespace-nowrap text-quiet tabular" aria-live="polite">
          Page {shown} of {total || "…"}
        </p>
        <span className="mx-auto" />
        {quote ? (
          <Button
            look="quiet"
            size="sm"
            disabled={!found?.page}
            onClick={() => mark.current?.scrollIntoView({ block: "center", behavior: "smooth" })}
          >
            <LocateFixed /> <span className="max-sm:sr-only">To the quote</span>
          </Button>
        ) : null}
        <Button
          look="quiet"
          size="icon-sm"
          aria-label="Smaller"
          disabled={zoom === ZOOMS[0]}
          onClick={() => step(-1)}
        >
          <ZoomOut />
        </Button>
        <Button
          look="quiet"
          size="icon-sm"
          aria-label="Larger"
          disabled={zoom === ZOOMS.at(-1)}
          onClick={() => step(1)}
        >
          <ZoomIn />
        </Button>
      </div>
      {found && quote === found.quote && !found.page ? (
        <p role="status" className="border-b border-line bg-doubt-soft px-4 py-2 text-sm text-doubt-text">
          The exact words could not be found in this PDF’s text
          {page ? `; this is the page they were read from` : ""}.
        </p>
      ) : null}
      <div
        ref={scroller}
        onScroll={follow}
        tabIndex={0}
        role="region"
        aria-label="Pages"
        className="min-h-0 flex-1 overflow-auto bg-sunken p-2.5 focus-visible:-outline-offset-2"
      >
        <div className="grid w-max min-w-full gap-4">
          {pdf && size && scale ? (
            Array.from({ length: total }, (_, index) => (
              <PdfPage
                key={index}
                pdf={pdf}
                number={index + 1}
                scale={scale}
                size={size}
                quote={found?.page === index + 1 ? quote : undefined}
                onMarked={onMarked}
              />
            ))
          ) : (
            <Skeleton className="h-[70dvh] w-full bg-surface" />
          )}
        </div>
      </div>
    </div>
  );
}

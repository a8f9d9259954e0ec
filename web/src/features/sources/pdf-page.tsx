import { cn } from "@/lib/cn";
import { TextLayer, type PDFDocumentProxy, type PageViewport, type RenderTask } from "pdfjs-dist";
import { useEffect, useRef, useState } from "react";
import { match } from "./match";

type Props = {
  pdf: PDFDocumentProxy;
  number: number;
  scale: number;
  size: { width: number; height: number };
  quote: string | undefined;
  onMarked: (mark: HTMLElement) => void;
};

/** One page: drawn when it comes near the window, with selectable text above the picture. */
export function PdfPage({ pdf, number, scale, size, quote, onMarked }: Props) {
  const holder = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const text = useRef<HTMLDivElement>(null);
  const [near, setNear] = useState(quote !== undefined);
  const [drawn, setDrawn] = useState(false);
  const [box, setBox] = useState(size);

  useEffect(() => {
    if (!holder.current) return;
    const watch = new IntersectionObserver(([entry]) => entry?.isIntersecting && setNear(true), {
      rootMargin: "900px",
    });
    watch.observe(holder.current);
    return () => watch.disconnect();
  }, []);

  useEffect(() => {
    if (!near && quote === undefined) return;
    let gone = false;
    let drawing: RenderTask | undefined;
    let layer: TextLayer | undefined;
    const draw = async () => {
      const page = await pdf.getPage(number);
      if (gone || !canvas.current || !text.current) return;
      const viewport = page.getViewport({ scale });
      setBox({ width: viewport.width / scale, height: viewport.height / scale });
      layer = new TextLayer({
        textContentSource: page.streamTextContent(),
        container: text.current,
        viewport,
      });
      text.current.replaceChildren();
      const transform = paint(canvas.current, viewport);
      drawing = page.render({ canvas: canvas.current, viewport, ...(transform ? { transform } : {}) });
      await Promise.all([layer.render(), drawing.promise]);
      setDrawn(true);
      const first = quote ? highlight(layer.textDivs, quote) : null;
      if (first) onMarked(first);
    };
    draw().catch(() => undefined);
    return () => {
      gone = true;
      drawing?.cancel();
      layer?.cancel();
    };
  }, [pdf, number, scale, near, quote, onMarked]);

  return (
    <div
      ref={holder}
      data-page={number}
      role="group"
      aria-label={`Page ${number}`}
      className="relative mx-auto overflow-hidden rounded-sm bg-white shadow-lift"
      style={
        {
          width: box.width * scale,
          height: box.height * scale,
          "--total-scale-factor": scale,
          "--scale-round-x": "1px",
          "--scale-round-y": "1px",
        } as React.CSSProperties
      }
    >
      <canvas ref={canvas} aria-hidden className={cn("size-full", !drawn && "opacity-0")} />
      <div ref={text} className="pdf-text" />
    </div>
  );
}

/** Sizes the canvas for the screen's own pixels; the answer is the transform that goes with it. */
function paint(canvas: HTMLCanvasElement, viewport: PageViewport): number[] | undefined {
  const ratio = Math.min(globalThis.devicePixelRatio || 1, 2);
  canvas.width = Math.floor(viewport.width * ratio);
  canvas.height = Math.floor(viewport.height * ratio);
  return ratio === 1 ? undefined : [ratio, 0, 0, ratio, 0, 0];
}

function highlight(divs: HTMLElement[], quote: string): HTMLElement | null {
  let first: HTMLElement | null = null;
  const texts = divs.map((div) => div.textContent);
  for (const { piece, start, end } of match(texts, quote)) {
    const div = divs[piece]!;
    const content = texts[piece]!;
    const mark = document.createElement("mark");
    mark.textContent = content.slice(start, end);
    div.replaceChildren(content.slice(0, start), mark, content.slice(end));
    first ??= mark;
  }
  return first;
}

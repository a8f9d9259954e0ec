/** pdf.js, set up to ask nothing of any other origin: its worker, character maps and fonts come with the application. */
import { getDocument, PDFWorker, type PDFDocumentProxy } from "pdfjs-dist";
import PdfWorker from "pdfjs-dist/build/pdf.worker.min.mjs?worker";
import { useEffect, useState } from "react";
import { match } from "./match";

type Loaded = { url: string; pdf?: PDFDocumentProxy; failed?: boolean };

export function usePdf(url: string): { pdf?: PDFDocumentProxy; failed: boolean } {
  const [loaded, setLoaded] = useState<Loaded>({ url });
  useEffect(() => {
    let gone = false;
    const port = new PdfWorker();
    const worker = new PDFWorker({ port: port as unknown as null });
    const loading = getDocument({
      url,
      worker,
      cMapUrl: "/pdfjs/cmaps/",
      cMapPacked: true,
      standardFontDataUrl: "/pdfjs/standard_fonts/",
      wasmUrl: "/pdfjs/wasm/",
      iccUrl: "/pdfjs/iccs/",
      // WebAssembly would need a wider content security policy; its scripts do the same.
      useWasm: false,
    });
    loading.promise.then(
      (pdf) => !gone && setLoaded({ url, pdf }),
      () => !gone && setLoaded({ url, failed: true }),
    );
    return () => {
      gone = true;
      void loading.destroy().finally(() => {
        worker.destroy();
        port.terminate();
      });
    };
  }, [url]);
  const current = loaded.url === url ? loaded : { url };
  return { ...(current.pdf ? { pdf: current.pdf } : {}), failed: current.failed ?? false };
}

export async function pieces(pdf: PDFDocumentProxy, page: number): Promise<string[]> {
  const { items } = await (await pdf.getPage(page)).getTextContent();
  return items.flatMap((item) => ("str" in item ? [item.str] : []));
}

/** The page that holds the quote: the one that was named first, then its neighbours, then all. */
export async function locate(
  pdf: PDFDocumentProxy,
  quote: string,
  named: number | null,
): Promise<number | null> {
  const all = Array.from({ length: pdf.numPages }, (_, index) => index + 1);
  if (named) all.sort((a, b) => Math.abs(a - named) - Math.abs(b - named));
  for (const page of all) if (match(await pieces(pdf, page), quote).length) return page;
  return null;
}

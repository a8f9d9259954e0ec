/** Sends a file with its progress, which `fetch` cannot tell. */
import { WEB_HEADER } from "@/lib/api/client";
import { isProblem, ProblemError, UNREACHABLE } from "@/lib/api/problem";
import type { Document } from "@/lib/api/types";

export type Classification = Document["classification"];
export type Upload = { file: File; corpus: string; readers: string[]; classification: Classification };

export function send(upload: Upload, onProgress: (share: number) => void): Promise<Document> {
  const form = new FormData();
  form.append("corpus", upload.corpus);
  form.append("classification", upload.classification);
  for (const reader of upload.readers) form.append("readers", reader);
  form.append("file", upload.file);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/documents");
    request.responseType = "json";
    for (const [name, value] of Object.entries(WEB_HEADER)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => onProgress(total ? loaded / total : 0);
    request.onerror = () => reject(new ProblemError(UNREACHABLE));
    request.onload = () => {
      const answer: unknown = request.response;
      if (request.status < 300) {
        resolve(answer as Document);
        return;
      }
      reject(
        new ProblemError(
          isProblem(answer)
            ? answer
            : {
                ...UNREACHABLE,
                title: "The file was not accepted",
                detail: `The server answered with status ${request.status}.`,
              },
        ),
      );
    };
    request.send(form);
  });
}

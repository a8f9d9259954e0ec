import { Badge, type Tone } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Hint } from "@/components/ui/tooltip";
import type { Corpus, Document } from "@/lib/api/types";
import { bytes, date, kind, plural } from "@/lib/format";
import {
  CircleCheck,
  CircleDashed,
  FileSpreadsheet,
  FileText,
  FileType,
  Lock,
  Mail,
  RotateCw,
  ShieldAlert,
  Trash2,
  Users,
} from "lucide-react";

type Props = {
  documents: Document[];
  corpora: Corpus[];
  mayWrite: (document: Document) => boolean;
  onOpen: (document: Document) => void;
  onRetry: (document: Document) => void;
  onDelete: (document: Document) => void;
};

const STATE = {
  received: { name: "In progress", tone: "accent", icon: CircleDashed },
  indexed: { name: "Indexed", tone: "good", icon: CircleCheck },
  quarantined: { name: "Quarantined", tone: "doubt", icon: ShieldAlert },
} as const;

const CLASS: Record<Document["classification"], { name: string; tone: Tone }> = {
  public: { name: "Public", tone: "plain" },
  internal: { name: "Internal", tone: "plain" },
  confidential: { name: "Confidential", tone: "evidence" },
  restricted: { name: "Restricted", tone: "harm" },
};

/** Rows on a wide page; the same table reads as cards on a narrow one. */
export function DocumentTable({ documents, corpora, ...props }: Props) {
  const name = (id: string) => corpora.find((one) => one.id === id)?.name ?? id;
  return (
    <Card className="overflow-hidden">
      <table className="w-full text-sm max-md:block">
        <caption className="sr-only">Documents with their state, classification and readers</caption>
        <thead className="bg-sunken/60 text-left text-xs text-quiet max-md:sr-only">
          <tr>
            {["Document", "State", "Classification", "Readers", "Added"].map((head) => (
              <th key={head} scope="col" className="px-4 py-2.5 font-medium">
                {head}
              </th>
            ))}
            <th scope="col" className="px-4 py-2.5">
              <span className="sr-only">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody className="max-md:block">
          {documents.map((document) => (
            <Row key={document.id} document={document} corpus={name(document.corpus)} {...props} />
          ))}
        </tbody>
      </table>
    </Card>
  );
}

function Row(props: Omit<Props, "documents" | "corpora"> & { document: Document; corpus: string }) {
  const { document, corpus, mayWrite, onOpen, onRetry, onDelete } = props;
  const state = STATE[document.state];
  const classification = CLASS[document.classification];
  const readable = document.state === "indexed";
  const facts = [
    kind(document.media),
    corpus,
    bytes(document.size),
    document.pages ? plural(document.pages, "page") : "",
  ].filter(Boolean);
  return (
    <tr
      data-document={document.id}
      className="border-t border-line align-top transition-colors hover:bg-sunken/40 max-md:relative max-md:flex max-md:flex-wrap max-md:items-center max-md:gap-x-2 max-md:gap-y-2 max-md:px-4 max-md:py-4"
    >
      <td className="w-full max-w-0 px-4 py-3 max-md:max-w-none max-md:p-0 max-md:pr-16">
        <div className="flex gap-3">
          <FileIcon media={document.media} />
          <div className="min-w-0">
            {readable ? (
              <button
                type="button"
                onClick={() => onOpen(document)}
                className="max-w-full rounded text-left font-medium hover:text-accent-text hover:underline"
              >
                {document.title}
              </button>
            ) : (
              <p className="font-medium">{document.title}</p>
            )}
            <p className="mt-0.5 truncate text-xs text-quiet max-md:whitespace-normal">{facts.join(" · ")}</p>
            {document.reason ? <p className="mt-1.5 text-xs text-doubt-text">{document.reason}</p> : null}
          </div>
        </div>
      </td>
      <td className="px-4 py-3 max-md:p-0">
        <Badge tone={state.tone} data-state={document.state}>
          <state.icon aria-hidden className={document.state === "received" ? "animate-spin" : ""} />{" "}
          {state.name}
        </Badge>
      </td>
      <td className="px-4 py-3 max-md:p-0">
        <Badge tone={classification.tone}>
          {document.classification === "restricted" ? <Lock aria-hidden /> : null}
          {classification.name}
        </Badge>
      </td>
      <td className="px-4 py-3 max-md:p-0">
        <span className="flex flex-wrap gap-1 md:max-w-44">
          {document.readers.length ? (
            document.readers.map((reader) => (
              <Badge key={reader}>
                <Users aria-hidden /> {reader}
              </Badge>
            ))
          ) : (
            <span className="text-xs text-quiet">nobody yet</span>
          )}
        </span>
      </td>
      <td className="px-4 py-3 text-xs whitespace-nowrap text-quiet max-md:p-0">
        <time dateTime={document.received_at}>{date(document.received_at)}</time>
      </td>
      <td className="px-3 py-2 max-md:absolute max-md:top-2.5 max-md:right-2 max-md:p-0">
        {mayWrite(document) ? (
          <span className="flex justify-end">
            {document.state === "quarantined" ? (
              <Hint text="Try again">
                <Button
                  look="quiet"
                  size="icon-sm"
                  aria-label={`Try “${document.title}” again`}
                  onClick={() => onRetry(document)}
                >
                  <RotateCw />
                </Button>
              </Hint>
            ) : null}
            <Hint text="Delete">
              <Button
                look="quiet"
                size="icon-sm"
                aria-label={`Delete “${document.title}”`}
                onClick={() => onDelete(document)}
              >
                <Trash2 />
              </Button>
            </Hint>
          </span>
        ) : null}
      </td>
    </tr>
  );
}

function FileIcon({ media }: { media: string }) {
  const sheet = /sheet|csv/.test(media);
  const Icon = sheet
    ? FileSpreadsheet
    : media === "message/rfc822"
      ? Mail
      : media === "application/pdf"
        ? FileType
        : FileText;
  return (
    <span aria-hidden className="grid size-9 shrink-0 place-items-center rounded-lg bg-sunken text-quiet">
      <Icon className="size-4.5" />
    </span>
  );
}

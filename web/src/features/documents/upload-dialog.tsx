import { Button } from "@/components/ui/button";
import { DialogContent } from "@/components/ui/dialog";
import { Field, Input, Select } from "@/components/ui/field";
import { asProblem } from "@/lib/api/problem";
import type { Corpus } from "@/lib/api/types";
import { cn } from "@/lib/cn";
import { localId } from "@/lib/id";
import { bytes } from "@/lib/format";
import { useQueryClient } from "@tanstack/react-query";
import { CircleAlert, CircleCheck, FileUp, RotateCw } from "lucide-react";
import { useRef, useState } from "react";
import { send, type Classification } from "./upload";

type Row = { id: string; file: File; share: number; state: "sending" | "sent" | "failed"; detail: string };

const KINDS = "PDF, Word, PowerPoint, Excel, CSV, HTML, Markdown, e-mail or text";
const CLASSES: [Classification, string][] = [
  ["public", "Public"],
  ["internal", "Internal"],
  ["confidential", "Confidential"],
  ["restricted", "Restricted"],
];

type Props = { corpora: Corpus[]; corpus: string | undefined; dropped: File[] };

/** Adds files to a collection, each with its own progress and its own reason if it is refused. */
export function UploadDialog({ corpora, corpus, dropped }: Props) {
  const cache = useQueryClient();
  const picker = useRef<HTMLInputElement>(null);
  const [target, setTarget] = useState(corpora.find((one) => one.id === corpus)?.id ?? corpora[0]?.id ?? "");
  const [classification, setClassification] = useState<Classification>("internal");
  const [readers, setReaders] = useState("");
  const [waiting, setWaiting] = useState(dropped);
  const [rows, setRows] = useState<Row[]>([]);
  const [over, setOver] = useState(false);

  const change = (id: string, next: Partial<Row>) =>
    setRows((all) => all.map((row) => (row.id === id ? { ...row, ...next } : row)));

  const start = async (row: Row) => {
    const names = readers.split(/[,;\s]+/).filter(Boolean);
    try {
      await send({ file: row.file, corpus: target, classification, readers: names }, (share) =>
        change(row.id, { share }),
      );
      change(row.id, { state: "sent", share: 1, detail: "Received. It is being read now." });
      await cache.invalidateQueries({ queryKey: ["documents"] });
    } catch (error) {
      change(row.id, { state: "failed", detail: asProblem(error).detail });
    }
  };
  const add = (files: File[]) => {
    const fresh = files.map((file) => ({
      id: localId("file"),
      file,
      share: 0,
      state: "sending" as const,
      detail: "",
    }));
    setRows((all) => [...all, ...fresh]);
    for (const row of fresh) void start(row);
  };
  const again = (row: Row) => {
    change(row.id, { state: "sending", share: 0, detail: "" });
    void start(row);
  };

  return (
    <DialogContent
      title="Add documents"
      description={`${KINDS}. What cannot be read is put into quarantine, with the reason.`}
      className="max-w-xl"
    >
      <div className="grid gap-4 overflow-y-auto p-5">
        <div className="grid gap-4 sm:grid-cols-2">
          <Field name="Collection">
            {(id) => (
              <Select
                id={id}
                value={target}
                onChange={(event) => setTarget(event.target.value)}
                className="w-full"
              >
                {corpora.map((one) => (
                  <option key={one.id} value={one.id}>
                    {one.name}
                  </option>
                ))}
              </Select>
            )}
          </Field>
          <Field name="Classification">
            {(id) => (
              <Select
                id={id}
                value={classification}
                onChange={(event) => setClassification(event.target.value as Classification)}
                className="w-full"
              >
                {CLASSES.map(([value, name]) => (
                  <option key={value} value={value}>
                    {name}
                  </option>
                ))}
              </Select>
            )}
          </Field>
        </div>
        <Field
          name="Readers"
          hint="Groups that may read these documents, with commas between. Empty: the collection’s own readers."
        >
          {(id, hint) => (
            <Input
              id={id}
              aria-describedby={hint}
              value={readers}
              onChange={(event) => setReaders(event.target.value)}
              placeholder="research, regulatory"
            />
          )}
        </Field>
        {waiting.length ? (
          <div className="flex flex-wrap items-center justify-between gap-3 rounded-xl bg-accent-soft px-4 py-3 text-sm">
            <p className="min-w-0 text-accent-text">
              Ready to send: {waiting.map(({ name }) => name).join(", ")}
            </p>
            <Button
              look="primary"
              size="sm"
              onClick={() => {
                add(waiting);
                setWaiting([]);
              }}
            >
              Upload
            </Button>
          </div>
        ) : (
          <div
            onDragOver={(event) => {
              event.preventDefault();
              setOver(true);
            }}
            onDragLeave={() => setOver(false)}
            onDrop={(event) => {
              event.preventDefault();
              setOver(false);
              add([...event.dataTransfer.files]);
            }}
            className={cn(
              "grid justify-items-center gap-2 rounded-2xl border-2 border-dashed border-edge/50 px-6 py-8 text-center transition-colors",
              over && "border-accent bg-accent-soft",
            )}
          >
            <FileUp aria-hidden className="size-7 text-accent-text" />
            <p className="text-sm">Drop files here, or</p>
            <Button look="primary" size="sm" onClick={() => picker.current?.click()}>
              Choose files
            </Button>
            <input
              ref={picker}
              type="file"
              multiple
              hidden
              aria-label="Files to upload"
              onChange={(event) => {
                add([...(event.target.files ?? [])]);
                event.target.value = "";
              }}
            />
          </div>
        )}
        <ul aria-label="Files" className="grid gap-2 empty:hidden">
          {rows.map((row) => (
            <li key={row.id} data-upload={row.state} className="rounded-xl border border-line p-3">
              <div className="flex items-center gap-3 text-sm">
                <span className="min-w-0 flex-1 truncate font-medium">{row.file.name}</span>
                <span className="text-xs text-quiet tabular">{bytes(row.file.size)}</span>
                {row.state === "sent" ? (
                  <CircleCheck aria-label="Received" role="img" className="size-4 text-good" />
                ) : null}
                {row.state === "failed" ? (
                  <CircleAlert aria-label="Refused" role="img" className="size-4 text-harm" />
                ) : null}
              </div>
              {row.state === "sending" ? (
                <progress
                  aria-label={`Sending ${row.file.name}`}
                  max={1}
                  value={row.share}
                  className="mt-2 h-1.5 w-full overflow-hidden rounded-full accent-accent"
                />
              ) : (
                <p
                  role={row.state === "failed" ? "alert" : "status"}
                  className={cn("mt-1 text-xs", row.state === "failed" ? "text-harm-text" : "text-quiet")}
                >
                  {row.detail}
                </p>
              )}
              {row.state === "failed" ? (
                <Button size="sm" className="mt-2" onClick={() => again(row)}>
                  <RotateCw /> Try again
                </Button>
              ) : null}
            </li>
          ))}
        </ul>
      </div>
    </DialogContent>
  );
}

import { EmptyState } from "@/components/empty-state";
import { ProblemCard } from "@/components/problem-card";
import { Button } from "@/components/ui/button";
import { Card, Skeleton } from "@/components/ui/card";
import { Dialog, DialogClose, DialogContent, SheetContent } from "@/components/ui/dialog";
import { Input, Select } from "@/components/ui/field";
import { Segmented } from "@/components/ui/segmented";
import { SourcePanel } from "@/features/sources/source-panel";
import { body, client } from "@/lib/api/client";
import { asProblem } from "@/lib/api/problem";
import { corporaQuery, meQuery } from "@/lib/api/queries";
import type { Document } from "@/lib/api/types";
import { plural } from "@/lib/format";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { FilePlus2, FileStack, Search, UploadCloud } from "lucide-react";
import { useState, type DragEvent } from "react";
import { toast } from "sonner";
import { DocumentTable } from "./document-table";
import { UploadDialog } from "./upload-dialog";

const POLL_MS = 2000;

type State = "all" | Document["state"];
const STATES: [State, string][] = [
  ["all", "All"],
  ["indexed", "Indexed"],
  ["received", "In progress"],
  ["quarantined", "Quarantined"],
];

export function DocumentsPage() {
  const search = useSearch({ from: "/inside/documents" });
  const navigate = useNavigate();
  const cache = useQueryClient();
  const corpus = search.corpus;
  const { data: me } = useQuery(meQuery);
  const { data: corpora } = useQuery(corporaQuery);
  const list = useQuery({
    queryKey: ["documents", corpus ?? "all"],
    queryFn: () => body(client.GET("/api/documents", { params: { query: corpus ? { corpus } : {} } })),
    refetchInterval: ({ state }) => (state.data?.some((one) => one.state === "received") ? POLL_MS : false),
  });
  const [wanted, setWanted] = useState("");
  const [state, setState] = useState<State>("all");
  const [shown, setShown] = useState<Document | null>(null);
  const [doomed, setDoomed] = useState<Document | null>(null);
  const [dropped, setDropped] = useState<File[]>([]);
  const [over, setOver] = useState(false);

  const open = (upload: true | undefined) =>
    navigate({ to: "/documents", search: { corpus, upload }, replace: true });
  const refresh = () => cache.invalidateQueries({ queryKey: ["documents"] });
  const retry = useMutation({
    mutationFn: ({ id }: Document) =>
      body(client.POST("/api/documents/{document}/retry", { params: { path: { document: id } } })),
    onSuccess: refresh,
    onError: (error) =>
      toast.error("The document was not tried again", { description: asProblem(error).detail }),
  });
  const remove = useMutation({
    mutationFn: ({ id }: Document) =>
      body(client.DELETE("/api/documents/{document}", { params: { path: { document: id } } })),
    onSuccess: async (_, { title }) => {
      toast.success(`“${title}” was deleted`);
      await refresh();
    },
    onError: (error) => toast.error("The document was not deleted", { description: asProblem(error).detail }),
  });

  const writable = me?.may.upload ? (corpora ?? []).filter((one) => one.may_upload) : [];
  const mayWrite = (document: Document) => writable.some((one) => one.id === document.corpus);
  const adding = search.upload === true && writable.length > 0;
  const documents = list.data ?? [];
  const found = documents.filter(
    (one) =>
      (state === "all" || one.state === state) &&
      `${one.title} ${one.source}`.toLowerCase().includes(wanted.trim().toLowerCase()),
  );
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    if (!writable.length) return;
    setDropped([...event.dataTransfer.files]);
    void open(true);
  };

  return (
    <div
      className="relative min-h-full"
      onDragOver={(event) => {
        if (!writable.length || !event.dataTransfer.types.includes("Files")) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={(event) => event.currentTarget === event.target && setOver(false)}
      onDrop={drop}
    >
      {over ? (
        <div className="pointer-events-none absolute inset-3 z-10 grid place-items-center rounded-3xl border-2 border-dashed border-accent bg-accent-soft/80">
          <p className="flex items-center gap-3 text-lg font-semibold text-accent-text">
            <UploadCloud className="size-6" /> Drop to add to the library
          </p>
        </div>
      ) : null}
      <div className="mx-auto max-w-6xl px-4 pt-16 pb-16 sm:px-8 lg:pt-10">
        <div className="flex flex-wrap items-end justify-between gap-4">
          <div>
            <h1 className="text-3xl font-semibold tracking-tight">Documents</h1>
            <p className="mt-1 text-quiet">
              What the assistants may answer from, and only what you may read.
            </p>
          </div>
          {writable.length ? (
            <Button look="primary" onClick={() => void open(true)}>
              <FilePlus2 /> Add documents
            </Button>
          ) : null}
        </div>
        <div className="mt-6 flex flex-wrap items-center gap-3">
          <div className="relative w-full sm:w-72">
            <Search aria-hidden className="pointer-events-none absolute top-3 left-3 size-4 text-quiet" />
            <Input
              type="search"
              aria-label="Find a document"
              placeholder="Find a document"
              value={wanted}
              onChange={(event) => setWanted(event.target.value)}
              className="pl-9"
            />
          </div>
          <Select
            aria-label="Collection"
            value={corpus ?? ""}
            onChange={(event) =>
              void navigate({
                to: "/documents",
                search: { corpus: event.target.value || undefined },
                replace: true,
              })
            }
            className="w-full sm:w-auto"
          >
            <option value="">All collections</option>
            {corpora?.map((one) => (
              <option key={one.id} value={one.id}>
                {one.name}
              </option>
            ))}
          </Select>
          <Segmented name="State" value={state} choices={STATES} onChange={setState} />
        </div>
        <p role="status" className="mt-4 mb-2 text-sm text-quiet">
          {list.data ? plural(found.length, "document") : "\u00a0"}
        </p>
        {list.error ? (
          <ProblemCard problem={asProblem(list.error)} onRetry={() => void list.refetch()} />
        ) : null}
        {list.isPending ? <Waiting /> : null}
        {list.data && !found.length ? (
          <Card>
            <EmptyState
              icon={FileStack}
              title={documents.length ? "No document fits" : "Nothing here yet"}
              action={
                writable.length && !documents.length ? (
                  <Button look="primary" onClick={() => void open(true)}>
                    <FilePlus2 /> Add documents
                  </Button>
                ) : null
              }
            >
              {documents.length
                ? "Try another name, collection or state."
                : "Documents appear here once they have been added to a collection that you may read."}
            </EmptyState>
          </Card>
        ) : null}
        {found.length ? (
          <DocumentTable
            documents={found}
            corpora={corpora ?? []}
            mayWrite={mayWrite}
            onOpen={setShown}
            onRetry={(document) => retry.mutate(document)}
            onDelete={setDoomed}
          />
        ) : null}
      </div>

      <Dialog
        open={adding}
        onOpenChange={(next) => {
          if (next) return;
          setDropped([]);
          void open(undefined);
        }}
      >
        {adding ? <UploadDialog corpora={writable} corpus={corpus} dropped={dropped} /> : null}
      </Dialog>
      <Dialog open={shown !== null} onOpenChange={(next) => next || setShown(null)}>
        <SheetContent title={shown?.title ?? "Document"}>
          {shown ? (
            <SourcePanel
              source={{ document: shown.id, title: shown.title, media: shown.media }}
              onClose={() => setShown(null)}
            />
          ) : null}
        </SheetContent>
      </Dialog>
      <Dialog open={doomed !== null} onOpenChange={(next) => next || setDoomed(null)}>
        <DialogContent
          role="alertdialog"
          title="Delete this document?"
          description={`“${doomed?.title ?? ""}” will no longer be found, quoted or shown. This cannot be undone.`}
        >
          <div className="flex justify-end gap-2 p-5">
            <DialogClose asChild>
              <Button look="quiet">Keep it</Button>
            </DialogClose>
            <Button
              look="harm"
              onClick={() => {
                if (doomed) remove.mutate(doomed);
                setDoomed(null);
              }}
            >
              Delete
            </Button>
          </div>
        </DialogContent>
      </Dialog>
    </div>
  );
}

function Waiting() {
  return (
    <div role="status" aria-label="Loading documents" className="grid gap-2">
      {[0, 1, 2, 3].map((row) => (
        <Skeleton key={row} className="h-16" />
      ))}
    </div>
  );
}

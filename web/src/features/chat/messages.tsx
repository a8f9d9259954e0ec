import { Mark } from "@/components/logo";
import { ProblemCard } from "@/components/problem-card";
import { Button } from "@/components/ui/button";
import type { Assistant, Citation } from "@/lib/api/types";
import { kind, plural } from "@/lib/format";
import { MessagePrimitive, useAui, useAuiState } from "@assistant-ui/react";
import { Check, CircleStop, Copy, FileText, RotateCw } from "lucide-react";
import { createContext, use, useState } from "react";
import { toast } from "sonner";
import { Abstained } from "./abstained";
import { AnswerText } from "./answer-text";
import { Feedback } from "./feedback";
import { place, SourceChip } from "./source-chip";
import { withCitations, type Turn } from "./turns";
import { UsageLine } from "./usage-line";

type Context = {
  session: string | undefined;
  assistant: Assistant | undefined;
  turns: Turn[];
  ask: (text: string) => void;
  compose: (text: string) => void;
  open: (turn: Turn, citation: Citation) => void;
};

export const ChatContext = createContext<Context | null>(null);

function useTurn() {
  const context = use(ChatContext);
  const id = useAuiState((state) => state.message.id);
  const at = context?.turns.findIndex((turn) => turn.id === id) ?? -1;
  return { context, turn: context?.turns[at], question: context?.turns[at - 1]?.text ?? "" };
}

export function ReaderMessage() {
  const { turn } = useTurn();
  return (
    <MessagePrimitive.Root className="mx-auto flex w-full max-w-3xl justify-end pt-8">
      <div className="max-w-[85%] rounded-2xl rounded-br-md bg-accent-soft px-4 py-2.5 whitespace-pre-wrap text-ink">
        <h2 className="sr-only">You asked</h2>
        {turn?.text}
      </div>
    </MessagePrimitive.Root>
  );
}

export function AssistantMessage() {
  const { context, turn, question } = useTurn();
  if (!context || !turn) return null;
  const again = () => context.ask(question);
  return (
    <MessagePrimitive.Root
      className="mx-auto w-full max-w-3xl pt-6"
      data-outcome={turn.outcome ?? "streaming"}
    >
      <div className="flex gap-4">
        <span className="mt-0.5 hidden size-8 shrink-0 place-items-center rounded-xl border border-line bg-surface shadow-lift sm:grid">
          <Mark className="size-4.5" />
        </span>
        <div className="min-w-0 flex-1">
          <h2 className="sr-only">{context.assistant?.name ?? "The assistant"} answered</h2>
          {turn.streaming ? <Working turn={turn} /> : null}
          {turn.outcome === "abstained" ? (
            <Abstained
              turn={turn}
              question={question}
              assistant={context.assistant}
              compose={context.compose}
            />
          ) : (
            <AnswerText
              sentences={turn.sentences}
              citations={turn.citations}
              onOpen={(citation) => context.open(turn, citation)}
            />
          )}
          {turn.problem ? (
            <ProblemCard problem={turn.problem} onRetry={again} retryName="Ask again" className="mt-4" />
          ) : null}
          {turn.outcome === "stopped" ? <Stopped onAgain={again} /> : null}
          {turn.outcome === "failed" && !turn.problem ? <Failed onAgain={again} /> : null}
          {!turn.streaming && turn.outcome !== "abstained" && turn.citations.length ? (
            <SourceList turn={turn} onOpen={(citation) => context.open(turn, citation)} />
          ) : null}
          {!turn.streaming && !turn.problem ? <Footer turn={turn} session={context.session} /> : null}
        </div>
      </div>
    </MessagePrimitive.Root>
  );
}

/** What happens before and between sentences. */
function Working({ turn }: { turn: Turn }) {
  const text = turn.searched
    ? `Reading ${plural(turn.searched.passages, "passage")} from ${plural(turn.searched.documents, "document")}`
    : "Searching the documents that you may read";
  return (
    <p className="mb-2 flex h-8 items-center gap-2.5 text-sm text-quiet">
      <span aria-hidden className="flex gap-1">
        {[0, 1, 2].map((dot) => (
          <span
            key={dot}
            className="size-1.5 animate-pulse-soft rounded-full bg-accent"
            style={{ animationDelay: `${dot * 180}ms` }}
          />
        ))}
      </span>
      {text}…
    </p>
  );
}

function Stopped({ onAgain }: { onAgain: () => void }) {
  return (
    <p className="mt-3 flex flex-wrap items-center gap-2 text-sm text-quiet">
      <CircleStop aria-hidden className="size-4" /> You stopped this answer.
      <Button size="sm" look="soft" onClick={onAgain}>
        <RotateCw /> Ask again
      </Button>
    </p>
  );
}

function Failed({ onAgain }: { onAgain: () => void }) {
  return (
    <p className="mt-3 flex flex-wrap items-center gap-2 text-sm text-harm-text">
      This answer could not be finished.
      <Button size="sm" onClick={onAgain}>
        <RotateCw /> Ask again
      </Button>
    </p>
  );
}

/** The sources below an answer, one line a document, so that nobody must find a small number in the text. */
function SourceList({ turn, onOpen }: { turn: Turn; onOpen: (citation: Citation) => void }) {
  const documents = Map.groupBy(turn.citations, (citation) => citation.document);
  return (
    <section aria-label="Sources" className="mt-5">
      <h3 className="font-sans text-xs font-semibold tracking-wide text-quiet uppercase">Sources</h3>
      <ul className="mt-2 divide-y divide-line overflow-hidden rounded-xl border border-line bg-surface">
        {[...documents].map(([document, [first, ...rest]]) =>
          first ? (
            <li key={document} className="flex flex-wrap items-center gap-x-3 gap-y-2 px-3.5 py-2.5">
              <FileText aria-hidden className="size-4 shrink-0 text-quiet" />
              <span className="min-w-0 flex-1 basis-56">
                <span className="block text-sm font-medium">{first.title}</span>
                <span className="block text-xs text-quiet">{where(first, rest)}</span>
              </span>
              <span className="flex flex-wrap gap-1">
                {[first, ...rest].map((citation) => (
                  <SourceChip key={citation.number} citation={citation} onOpen={onOpen} />
                ))}
              </span>
            </li>
          ) : null,
        )}
      </ul>
    </section>
  );
}

/** A document's kind and the places that were cited in it. */
function where(first: Citation, rest: Citation[]): string {
  const places = [...new Set([first, ...rest].map(place).filter(Boolean))];
  const more = places.length > 2 ? [plural(places.length - 2, "more place")] : [];
  return [kind(first.media), ...places.slice(0, 2), ...more].join(" · ");
}

function Footer({ turn, session }: { turn: Turn; session: string | undefined }) {
  return (
    <div className="mt-4 flex flex-wrap items-center justify-between gap-x-4 gap-y-2">
      <UsageLine turn={turn} />
      <div className="-ml-2.5 flex flex-wrap gap-1">
        {turn.text ? <CopyButton turn={turn} /> : null}
        {session && !turn.id.startsWith("answer-") ? (
          <Feedback session={session} message={turn.id} feedback={turn.feedback} />
        ) : null}
      </div>
    </div>
  );
}

function CopyButton({ turn }: { turn: Turn }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(withCitations(turn));
      setDone(true);
      setTimeout(() => setDone(false), 1600);
    } catch {
      toast.error("Your browser did not allow copying", {
        description: "Select the text and copy it by hand.",
      });
    }
  };
  return (
    <Button look="quiet" size="sm" onClick={copy}>
      {done ? <Check /> : <Copy />}
      {done ? "Copied" : "Copy with sources"}
    </Button>
  );
}

export function Suggestions({ suggestions }: { suggestions: string[] }) {
  const aui = useAui();
  return (
    <ul className="grid gap-2 sm:grid-cols-2">
      {suggestions.map((text) => (
        <li key={text}>
          <button
            type="button"
            onClick={() => aui.thread.append(text)}
            className="h-full w-full rounded-xl border border-line bg-surface px-4 py-3 text-left text-sm shadow-lift transition-colors hover:border-accent/50 hover:bg-accent-soft/50"
          >
            {text}
          </button>
        </li>
      ))}
    </ul>
  );
}

import { Button } from "@/components/ui/button";
import { assistantsQuery, meQuery } from "@/lib/api/queries";
import type { Assistant } from "@/lib/api/types";
import { plural } from "@/lib/format";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { FilePlus2, LibraryBig, MessagesSquare, PencilLine } from "lucide-react";
import { plain, type Turn } from "./turns";

type Props = {
  turn: Turn;
  question: string;
  assistant: Assistant | undefined;
  compose: (text: string) => void;
};

/** An honest "I don't know", and what to do next. */
export function Abstained({ turn, question, assistant, compose }: Props) {
  const { data: me } = useQuery(meQuery);
  const { data: assistants = [] } = useQuery(assistantsQuery);
  const others = assistants.filter((other) => other.id !== assistant?.id).slice(0, 2);
  return (
    <section
      data-outcome="abstained"
      aria-label="The assistant does not know"
      className="animate-rise overflow-hidden rounded-card border border-line bg-surface shadow-lift"
    >
      <div className="flex gap-4 p-5">
        <EmptyLayers />
        <div className="min-w-0">
          <h3 className="text-lg font-semibold">I don’t know</h3>
          <p className="mt-1 text-quiet">{reason(turn)}</p>
          {turn.searched ? (
            <p className="mt-1 text-sm text-quiet">
              Looked through {plural(turn.searched.passages, "passage")} in{" "}
              {plural(turn.searched.documents, "document")}.
            </p>
          ) : null}
        </div>
      </div>
      <div className="border-t border-line bg-sunken/50 px-5 py-4">
        <p className="text-sm font-medium">What you can do</p>
        <div className="mt-2.5 flex flex-wrap gap-2">
          <Button size="sm" onClick={() => compose(question)}>
            <PencilLine /> Ask it differently
          </Button>
          {others.map((other) => (
            <Button key={other.id} size="sm" asChild>
              <Link to="/a/$assistant" params={{ assistant: other.id }} search={{ q: question }}>
                <MessagesSquare /> Ask {other.name}
              </Link>
            </Button>
          ))}
          <Button size="sm" asChild>
            <Link to="/documents" search={{ corpus: assistant?.corpora[0] }}>
              <LibraryBig /> See what was searched
            </Link>
          </Button>
          {me?.may.upload ? (
            <Button size="sm" asChild>
              <Link to="/documents" search={{ corpus: assistant?.corpora[0], upload: true }}>
                <FilePlus2 /> Add a document
              </Link>
            </Button>
          ) : null}
        </div>
      </div>
    </section>
  );
}

/** The server's words, without the "I don't know" that the heading says already. */
function reason(turn: Turn): string {
  const text = plain(turn.text).replace(/^i (don.t|do not) know[.:,]?\s*/i, "");
  return text || "The documents that you may read do not carry an answer to this question.";
}

function EmptyLayers() {
  return (
    <svg viewBox="0 0 48 48" aria-hidden className="size-12 shrink-0 text-edge">
      {[14, 25, 36].map((y, index) => (
        <path
          key={y}
          d={`M5 ${y}c7-6 12-6 18-2s12 4 20-2`}
          fill="none"
          stroke="currentColor"
          strokeWidth={3 - index * 0.6}
          strokeLinecap="round"
          strokeDasharray={index ? `${7 - index * 2} 6` : undefined}
          opacity={1 - index * 0.25}
        />
      ))}
    </svg>
  );
}

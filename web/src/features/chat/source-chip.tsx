import { Badge } from "@/components/ui/badge";
import type { Citation } from "@/lib/api/types";
import { kind, percent, readable } from "@/lib/format";
import { FileText, ShieldQuestion } from "lucide-react";
import { HoverCard, Popover } from "radix-ui";
import { useRef, useState } from "react";

const DELAY_MS = 180;

const card =
  "animate-fade z-40 w-[min(22rem,calc(100vw-2rem))] rounded-xl border border-line bg-surface p-4 text-left text-sm leading-normal font-normal whitespace-normal shadow-float";

export const place = (citation: Citation) =>
  [citation.page ? `page ${citation.page}` : "", citation.headings.at(-1) ?? ""].filter(Boolean).join(", ");

/** The number of a source: hover or focus to see its words, press to open the document there. */
export function SourceChip({
  citation,
  onOpen,
}: {
  citation: Citation;
  onOpen: (citation: Citation) => void;
}) {
  const [open, setOpen] = useState(false);
  // Once pressed, the card has said its part: an opening that is still due comes too late.
  const muted = useRef(0);
  return (
    <HoverCard.Root
      open={open}
      onOpenChange={(next) => setOpen(next && performance.now() > muted.current)}
      openDelay={DELAY_MS}
      closeDelay={120}
    >
      <HoverCard.Trigger asChild>
        <button
          type="button"
          data-citation={citation.number}
          aria-label={`Source ${citation.number}: ${citation.title}${citation.page ? `, page ${citation.page}` : ""}. Open it.`}
          onClick={() => {
            muted.current = performance.now() + 4 * DELAY_MS;
            setOpen(false);
            onOpen(citation);
          }}
          className="inline-grid h-6 min-w-6 place-items-center rounded-md border border-evidence-line/60 bg-evidence-soft px-1 text-xs leading-none font-semibold text-evidence-text tabular transition-colors hover:bg-evidence"
        >
          {citation.number}
        </button>
      </HoverCard.Trigger>
      <HoverCard.Portal>
        <HoverCard.Content
          role="region"
          aria-label={`Source ${citation.number}`}
          sideOffset={6}
          collisionPadding={12}
          className={card}
        >
          <p className="flex items-start gap-2 font-semibold">
            <FileText aria-hidden className="mt-0.5 size-4 shrink-0 text-quiet" />
            {citation.title}
          </p>
          <p className="mt-1 pl-6 text-xs text-quiet">
            {[kind(citation.media), place(citation)].filter(Boolean).join(" · ")}
          </p>
          <blockquote className="mt-3 line-clamp-6 border-l-3 border-evidence-line pl-3 text-ink">
            {readable(citation.quote)}
          </blockquote>
          <p className="mt-3 flex items-center justify-between gap-3 text-xs text-quiet">
            <Badge tone="evidence" className="tabular">
              Match {percent(citation.score)}
            </Badge>
            Press to open at this place
          </p>
        </HoverCard.Content>
      </HoverCard.Portal>
    </HoverCard.Root>
  );
}

/** Stands where a source would: nothing supports the sentence before it. */
export function DoubtMark() {
  return (
    <Popover.Root>
      <Popover.Trigger asChild>
        <button
          type="button"
          className="ml-1 inline-flex h-6 items-center gap-1 rounded-md bg-doubt-soft px-1.5 align-[0.12em] text-xs leading-none font-medium text-doubt-text hover:brightness-95 dark:hover:brightness-115"
        >
          <ShieldQuestion aria-hidden className="size-3.5" />
          no source
        </button>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          sideOffset={6}
          collisionPadding={12}
          className={card}
          aria-label="Why this is marked"
        >
          <p className="font-semibold">Nothing in the documents supports this sentence</p>
          <p className="mt-1.5 text-quiet">
            The model wrote it, but no passage that you may read says it. Treat it as a guess: check it
            elsewhere, or ask for the exact words with a narrower question.
          </p>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

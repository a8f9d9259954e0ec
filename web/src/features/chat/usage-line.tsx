import { Badge } from "@/components/ui/badge";
import { Hint } from "@/components/ui/tooltip";
import { compact, count, money, seconds } from "@/lib/format";
import { Quote, ShieldCheck } from "lucide-react";
import type { Turn } from "./turns";

const MODES = {
  extractive: {
    name: "quoted",
    why: "Made of sentences quoted from the documents, word for word.",
    icon: Quote,
  },
  generative: {
    name: "generated & checked",
    why: "Written by a model; each sentence was then checked against the documents.",
    icon: ShieldCheck,
  },
};

/** What an answer was made by, and what it cost. */
export function UsageLine({ turn }: { turn: Turn }) {
  const { usage, mode } = turn;
  const shown = mode ? MODES[mode] : null;
  return (
    <p className="flex flex-wrap items-center gap-x-2 gap-y-1 text-xs text-quiet tabular">
      {shown && turn.outcome !== "abstained" ? (
        <Hint text={shown.why}>
          <Badge tone="accent" tabIndex={0} role="note" aria-label={`${shown.name}: ${shown.why}`}>
            <shown.icon aria-hidden /> {shown.name}
          </Badge>
        </Hint>
      ) : null}
      {usage ? (
        <>
          <span>{usage.model ?? "no model needed"}</span>
          <Dot />
          {usage.model ? (
            <>
              <span
                title={`${count(usage.prompt_tokens)} tokens read, ${count(usage.completion_tokens)} tokens written`}
              >
                {compact(usage.prompt_tokens + usage.completion_tokens)} tokens
              </span>
              <Dot />
            </>
          ) : null}
          <span>{money(usage.cost.micros, usage.cost.currency)}</span>
          <Dot />
          <span>{seconds(usage.seconds)}</span>
        </>
      ) : null}
    </p>
  );
}

const Dot = () => <span aria-hidden>·</span>;

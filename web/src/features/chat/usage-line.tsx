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
  const { mode } = turn;
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
      {facts(turn).map(({ text, title }, index, all) => (
        <span key={text} title={title} className="whitespace-nowrap">
          {text}
          {index < all.length - 1 ? (
            <span aria-hidden className="ml-2">
              ·
            </span>
          ) : null}
        </span>
      ))}
    </p>
  );
}

function facts({ usage }: Turn): { text: string; title?: string }[] {
  if (!usage) return [];
  const { model, prompt_tokens: read, completion_tokens: written, cost } = usage;
  const tokens = {
    text: `${compact(read + written)} tokens`,
    title: `${count(read)} tokens read, ${count(written)} tokens written`,
  };
  return [
    { text: model ?? "no model needed" },
    ...(read + written ? [tokens] : []),
    { text: money(cost.micros, cost.currency) },
    { text: seconds(usage.seconds) },
  ];
}

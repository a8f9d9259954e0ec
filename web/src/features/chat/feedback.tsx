import { Button } from "@/components/ui/button";
import { Textarea } from "@/components/ui/field";
import { body, client } from "@/lib/api/client";
import { asProblem } from "@/lib/api/problem";
import type { Feedback as Given } from "@/lib/api/types";
import { cn } from "@/lib/cn";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { SmilePlus } from "lucide-react";
import { Popover } from "radix-ui";
import { useState } from "react";
import { toast } from "sonner";
import { change } from "./ask";

type Emoji = Given["emoji"];
type Reason = Given["reasons"][number];

const EMOJI: [Emoji, string][] = [
  ["👍", "Good answer"],
  ["🎉", "Excellent"],
  ["😕", "Confusing"],
  ["👎", "Bad answer"],
  ["⚠️", "Unsafe or misleading"],
];

const REASONS: [Reason, string][] = [
  ["helpful", "Helpful"],
  ["well-cited", "Well cited"],
  ["wrong", "Wrong"],
  ["incomplete", "Incomplete"],
  ["outdated", "Outdated"],
  ["wrong-source", "Wrong source"],
  ["unclear", "Unclear"],
  ["unsafe", "Unsafe"],
];

type Props = { session: string; message: string; feedback: Given | null };

/** What the reader thinks of an answer: an emoji, reasons and a comment. It can be taken back. */
export function Feedback({ session, message, feedback }: Props) {
  const cache = useQueryClient();
  const [open, setOpen] = useState(false);
  const [draft, setDraft] = useState<Given | null>(feedback);
  const keep = (next: Given | null) =>
    change(cache, session, (chat) => ({
      ...chat,
      messages: chat.messages.map((turn) => (turn.id === message ? { ...turn, feedback: next } : turn)),
    }));
  const path = { params: { path: { message } } };
  const save = useMutation({
    mutationFn: async (next: Given | null) => {
      if (next) await body(client.PUT("/api/messages/{message}/feedback", { ...path, body: next }));
      else await body(client.DELETE("/api/messages/{message}/feedback", path));
    },
    onMutate: keep,
    onError: (error) => {
      keep(feedback);
      toast.error("Your feedback was not kept", { description: asProblem(error).detail });
    },
  });
  const undo = () => {
    setDraft(null);
    save.mutate(null);
    setOpen(false);
  };
  const send = (next: Given) => {
    save.mutate(next, {
      onSuccess: () =>
        toast.success("Thank you. Your feedback was kept.", { action: { label: "Undo", onClick: undo } }),
    });
    setOpen(false);
  };
  const toggle = (reason: Reason) =>
    setDraft((now) => {
      if (!now) return now;
      const chosen = now.reasons.includes(reason);
      return {
        ...now,
        reasons: chosen ? now.reasons.filter((one) => one !== reason) : [...now.reasons, reason],
      };
    });
  const onOpenChange = (next: boolean) => {
    if (next) setDraft(feedback);
    setOpen(next);
  };

  return (
    <Popover.Root open={open} onOpenChange={onOpenChange}>
      <Popover.Trigger asChild>
        <Button
          look="quiet"
          size="sm"
          aria-label={feedback ? `Your feedback: ${feedback.emoji}. Change it.` : "Give feedback"}
        >
          {feedback ? <span className="emoji text-base leading-none">{feedback.emoji}</span> : <SmilePlus />}
          {feedback ? "Your feedback" : "Feedback"}
        </Button>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          align="start"
          sideOffset={6}
          collisionPadding={12}
          aria-label="Feedback on this answer"
          className="z-40 w-[min(23rem,calc(100vw-1.5rem))] animate-fade rounded-2xl border border-line bg-surface p-4 shadow-float"
        >
          <p className="text-sm font-semibold" id={`${message}-how`}>
            How was this answer?
          </p>
          <div role="group" aria-labelledby={`${message}-how`} className="mt-2 flex gap-1.5">
            {EMOJI.map(([emoji, name]) => (
              <button
                key={emoji}
                type="button"
                title={name}
                aria-label={name}
                aria-pressed={draft?.emoji === emoji}
                onClick={() => setDraft((now) => ({ reasons: [], comment: "", ...now, emoji }))}
                className="grid size-11 place-items-center rounded-xl border border-transparent emoji text-xl transition hover:bg-sunken aria-pressed:border-accent aria-pressed:bg-accent-soft"
              >
                {emoji}
              </button>
            ))}
          </div>
          {draft ? (
            <form
              className="mt-3 grid gap-3"
              onSubmit={(event) => {
                event.preventDefault();
                send(draft);
              }}
            >
              <div role="group" aria-label="Reasons" className="flex flex-wrap gap-1.5">
                {REASONS.map(([reason, name]) => (
                  <button
                    key={reason}
                    type="button"
                    aria-pressed={draft.reasons.includes(reason)}
                    onClick={() => toggle(reason)}
                    className={cn(
                      "h-7 rounded-full border border-edge/60 px-2.5 text-xs font-medium text-quiet transition-colors hover:bg-sunken",
                      "aria-pressed:border-accent aria-pressed:bg-accent-soft aria-pressed:text-accent-text",
                    )}
                  >
                    {name}
                  </button>
                ))}
              </div>
              <Textarea
                aria-label="Comment"
                placeholder="What should the answer have been? (optional)"
                value={draft.comment}
                onChange={(event) => setDraft({ ...draft, comment: event.target.value })}
              />
              <div className="flex justify-between gap-2">
                {feedback ? (
                  <Button look="quiet" size="sm" onClick={undo}>
                    Take back
                  </Button>
                ) : (
                  <span />
                )}
                <Button look="primary" size="sm" type="submit">
                  {feedback ? "Update" : "Send"}
                </Button>
              </div>
            </form>
          ) : null}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

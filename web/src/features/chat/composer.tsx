import { Button } from "@/components/ui/button";
import { ComposerPrimitive, useAuiState } from "@assistant-ui/react";
import { ArrowUp, Square } from "lucide-react";

/** Where one asks. Enter sends, Shift and Enter begin a new line, Esc stops the answer. */
export function Composer({ notice, placeholder }: { notice: string; placeholder: string }) {
  const running = useAuiState((state) => state.thread.isRunning);
  return (
    <div className="mx-auto w-full max-w-3xl">
      <ComposerPrimitive.Root className="flex items-end gap-2 rounded-2xl border border-edge/50 bg-surface p-2 shadow-lift transition-[border-color,box-shadow] focus-within:border-accent focus-within:shadow-float">
        <ComposerPrimitive.Input
          data-composer
          autoFocus
          rows={1}
          maxRows={8}
          aria-label="Your question"
          placeholder={placeholder}
          className="max-h-52 min-h-9 flex-1 resize-none bg-transparent px-2.5 py-1.5 leading-6 outline-none placeholder:text-quiet"
        />
        {running ? (
          <ComposerPrimitive.Cancel asChild>
            <Button look="outline" size="icon" aria-label="Stop the answer (Esc)" className="rounded-xl">
              <Square className="size-3.5! fill-current" />
            </Button>
          </ComposerPrimitive.Cancel>
        ) : (
          <ComposerPrimitive.Send asChild>
            <Button look="primary" size="icon" aria-label="Ask" className="rounded-xl">
              <ArrowUp />
            </Button>
          </ComposerPrimitive.Send>
        )}
      </ComposerPrimitive.Root>
      <p className="px-3 pt-2 text-center text-xs text-pretty text-quiet">{notice}</p>
    </div>
  );
}

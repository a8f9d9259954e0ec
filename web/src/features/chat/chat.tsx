import { ProblemCard } from "@/components/problem-card";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/card";
import { Dialog, SheetContent } from "@/components/ui/dialog";
import { SourcePanel } from "@/features/sources/source-panel";
import { AssistantTile } from "@/features/assistants/assistant-tile";
import { body, client } from "@/lib/api/client";
import { asProblem } from "@/lib/api/problem";
import { assistantsQuery } from "@/lib/api/queries";
import type { Assistant, Citation } from "@/lib/api/types";
import { percent, readable } from "@/lib/format";
import { useShortcut } from "@/lib/shortcuts";
import { useWide } from "@/lib/use-media";
import {
  AssistantRuntimeProvider,
  ThreadPrimitive,
  useAui,
  useExternalStoreRuntime,
  type AppendMessage,
  type ThreadMessageLike,
} from "@assistant-ui/react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { ArrowDown } from "lucide-react";
import { useCallback, useEffect, useRef, useState } from "react";
import { toast } from "sonner";
import { ask, conversationKey, stop } from "./ask";
import { Composer } from "./composer";
import { AssistantMessage, ChatContext, ReaderMessage, Suggestions } from "./messages";
import type { Conversation, Turn } from "./turns";

const NO_TURNS: Turn[] = [];

const convert = (turn: Turn): ThreadMessageLike => ({
  id: turn.id,
  role: turn.role === "reader" ? "user" : "assistant",
  content: [{ type: "text", text: turn.text }],
  createdAt: new Date(turn.created_at),
  ...(turn.role === "assistant"
    ? {
        status: turn.streaming
          ? { type: "running" as const }
          : { type: "complete" as const, reason: "stop" as const },
      }
    : {}),
});

const words = (message: AppendMessage) =>
  message.content
    .map((part) => (part.type === "text" ? part.text : ""))
    .join("")
    .trim();

/** The chat that was opened by its address. */
export function OpenChat({ session }: { session: string }) {
  const chat = useQuery({
    queryKey: conversationKey(session),
    queryFn: (): Promise<Conversation> =>
      body(client.GET("/api/sessions/{session}", { params: { path: { session } } })),
    // While an answer arrives the cache is ahead of the server; nothing else changes a chat.
    staleTime: Infinity,
    gcTime: Infinity,
  });
  const { data: assistants } = useQuery(assistantsQuery);
  if (chat.error) {
    return (
      <ProblemCard
        problem={asProblem(chat.error)}
        onRetry={() => void chat.refetch()}
        className="m-6 max-w-xl"
      />
    );
  }
  if (!chat.data) return <Loading />;
  const assistant = assistants?.find((one) => one.id === chat.data.assistant);
  return <Chat key={session} chat={chat.data} assistant={assistant} />;
}

/** A chat that begins with its first question. */
export function NewChat({ assistant: id, question }: { assistant: string; question: string | undefined }) {
  const { data: assistants, error } = useQuery(assistantsQuery);
  if (error) return <ProblemCard problem={asProblem(error)} className="m-6 max-w-xl" />;
  if (!assistants) return <Loading />;
  const assistant = assistants.find((one) => one.id === id);
  if (!assistant) {
    const problem = {
      type: "urn:strata:problem:no-assistant",
      title: "There is no such assistant for you",
      status: 404,
      detail: "It may have been withdrawn, or its department has not let you in. Choose another one.",
    };
    return <ProblemCard problem={problem} className="m-6 max-w-xl" />;
  }
  return <Chat key={id} chat={undefined} assistant={assistant} draft={question} />;
}

function Loading() {
  return (
    <div
      role="status"
      aria-label="Opening the chat"
      className="mx-auto grid w-full max-w-3xl gap-6 p-6 pt-16"
    >
      <Skeleton className="ml-auto h-11 w-1/2" />
      <Skeleton className="h-40 w-full" />
    </div>
  );
}

type Shown = { turn: string; number: number };
type Props = { chat: Conversation | undefined; assistant: Assistant | undefined; draft?: string | undefined };

function Chat({ chat, assistant, draft }: Props) {
  const cache = useQueryClient();
  const navigate = useNavigate();
  const wide = useWide();
  const [shown, setShown] = useState<Shown | null>(null);
  const opener = useRef<HTMLElement | null>(null);
  const session = chat?.id;
  const turns = chat?.messages ?? NO_TURNS;
  const running = turns.at(-1)?.streaming ?? false;

  const send = useCallback(
    async (text: string) => {
      if (!text) return;
      if (session) return ask(cache, session, text);
      try {
        const made = await body(client.POST("/api/sessions", { body: { assistant: assistant!.id } }));
        cache.setQueryData<Conversation>(conversationKey(made.id), { ...made, messages: [] });
        void ask(cache, made.id, text);
        await navigate({ to: "/c/$session", params: { session: made.id } });
      } catch (error) {
        const { title, detail } = asProblem(error);
        toast.error(title, { description: detail });
      }
    },
    [cache, session, assistant, navigate],
  );
  const halt = useCallback(() => {
    if (session) stop(session);
  }, [session]);

  const runtime = useExternalStoreRuntime<Turn>({
    messages: turns,
    isRunning: running,
    convertMessage: convert,
    onNew: (message) => send(words(message)),
    onCancel: () => {
      halt();
      return Promise.resolve();
    },
  });

  const compose = (text: string) => {
    runtime.thread.composer.setText(text);
    document.querySelector<HTMLTextAreaElement>("[data-composer]")?.focus();
  };

  const open = useCallback((turn: Turn, citation: Citation) => {
    opener.current = document.activeElement instanceof HTMLElement ? document.activeElement : null;
    setShown({ turn: turn.id, number: citation.number });
  }, []);
  const close = useCallback(() => {
    setShown(null);
    opener.current?.focus();
  }, []);
  useShortcut(
    "escape",
    useCallback(() => {
      if (running) halt();
      else if (shown) close();
    }, [running, halt, shown, close]),
  );

  const turn = turns.find((one) => one.id === shown?.turn);
  const at = turn?.citations.findIndex((one) => one.number === shown?.number) ?? -1;
  const citation = turn?.citations[at];
  const panel =
    turn && citation ? (
      <SourcePanel
        source={{ ...citation, mark: { start: citation.start, end: citation.end } }}
        onClose={close}
        step={{
          at,
          of: turn.citations.length,
          go: (by) => setShown({ turn: turn.id, number: turn.citations[at + by]?.number ?? citation.number }),
        }}
      >
        <blockquote className="mt-3 line-clamp-4 rounded-lg bg-evidence-soft px-3 py-2 text-sm text-evidence-text">
          {readable(citation.quote)}{" "}
          <span className="ml-1 text-xs whitespace-nowrap tabular">match {percent(citation.score)}</span>
        </blockquote>
      </SourcePanel>
    ) : null;

  return (
    <AssistantRuntimeProvider runtime={runtime}>
      <ChatContext value={{ session, assistant, turns, ask: (text) => void send(text), compose, open }}>
        <div className="flex h-full min-h-0">
          <Thread chat={chat} assistant={assistant} draft={draft} />
          {panel && wide ? (
            <aside
              aria-label="Source"
              className="my-3 mr-3 flex w-1/2 max-w-[48rem] min-w-0 animate-slide flex-col overflow-hidden rounded-2xl border border-line bg-surface shadow-float"
            >
              {panel}
            </aside>
          ) : null}
          <Dialog open={panel !== null && !wide} onOpenChange={(next) => next || close()}>
            <SheetContent title="Source" onCloseAutoFocus={(event) => event.preventDefault()}>
              {panel}
            </SheetContent>
          </Dialog>
        </div>
      </ChatContext>
    </AssistantRuntimeProvider>
  );
}

function Thread({ chat, assistant, draft }: Props) {
  const empty = !chat?.messages.length;
  const notice = assistant?.notice ?? "Answers are made by software and can be wrong. Check the sources.";
  return (
    <ThreadPrimitive.Root className="flex min-w-0 flex-1 flex-col">
      <header className="flex items-center gap-3 border-b border-line px-4 py-2.5 max-lg:pl-16">
        <AssistantTile assistant={assistant} small />
        <div className="min-w-0">
          <h1 className="truncate text-[15px] leading-tight font-semibold">
            {empty ? (assistant?.name ?? "New chat") : chat.title}
          </h1>
          <p className="truncate text-xs text-quiet">
            {assistant ? `${empty ? "" : `${assistant.name} · `}${assistant.department.name}` : ""}
          </p>
        </div>
      </header>
      <ThreadPrimitive.Viewport
        className="relative min-h-0 flex-1 overflow-y-auto px-4 pb-8 sm:px-6"
        tabIndex={0}
        role="region"
        aria-label="Conversation"
        scrollToBottomOnInitialize={!empty}
      >
        {empty && assistant ? <Welcome assistant={assistant} /> : null}
        <ThreadPrimitive.Messages>
          {({ message }) => (message.role === "user" ? <ReaderMessage /> : <AssistantMessage />)}
        </ThreadPrimitive.Messages>
        <ThreadPrimitive.ScrollToBottom asChild>
          <Button
            size="icon"
            aria-label="To the end of the conversation"
            className="sticky bottom-2 left-1/2 -translate-x-1/2 rounded-full disabled:hidden"
          >
            <ArrowDown />
          </Button>
        </ThreadPrimitive.ScrollToBottom>
      </ThreadPrimitive.Viewport>
      <div className="px-3 pt-1 pb-3 sm:px-6">
        <Draft text={draft} />
        <Composer
          notice={notice}
          placeholder={empty ? `Ask ${assistant?.name ?? "a question"}…` : "Ask a follow-up…"}
        />
      </div>
    </ThreadPrimitive.Root>
  );
}

/** Puts a question that came with the address into the composer. */
function Draft({ text }: { text: string | undefined }) {
  const aui = useAui();
  useEffect(() => {
    if (text) aui.composer.setText(text);
    // Only once: what the reader writes afterwards is theirs.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);
  return null;
}

function Welcome({ assistant }: { assistant: Assistant }) {
  return (
    <div className="mx-auto flex min-h-full max-w-3xl animate-rise flex-col justify-center py-10">
      <AssistantTile assistant={assistant} />
      <h2 className="mt-5 text-3xl font-semibold tracking-tight sm:text-4xl">What would you like to know?</h2>
      <p className="mt-2 max-w-xl text-quiet">{assistant.description}</p>
      <p className="mt-4 flex flex-wrap gap-2">
        <Badge tone="accent">
          {assistant.mode === "extractive"
            ? "Answers in quotes, word for word"
            : "Writes answers, checks each sentence"}
        </Badge>
        <Badge>Only what you may read</Badge>
      </p>
      {assistant.suggestions.length ? (
        <div className="mt-8">
          <p className="mb-2.5 text-sm font-medium text-quiet">Try one of these</p>
          <Suggestions suggestions={assistant.suggestions} />
        </div>
      ) : null}
    </div>
  );
}

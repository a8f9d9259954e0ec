import { EmptyState } from "@/components/empty-state";
import { Ground } from "@/components/logo";
import { ProblemCard } from "@/components/problem-card";
import { Skeleton } from "@/components/ui/card";
import { asProblem } from "@/lib/api/problem";
import { assistantsQuery, meQuery, sessionsQuery } from "@/lib/api/queries";
import type { Assistant, Session } from "@/lib/api/types";
import { moment } from "@/lib/format";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ArrowRight, ArrowUpRight, MessagesSquare, Quote, ShieldCheck } from "lucide-react";
import { AssistantTile } from "./assistant-tile";

/** The first screen: who is here to be asked. */
export function Home() {
  const { data: me } = useQuery(meQuery);
  const { data: assistants, error, refetch } = useQuery(assistantsQuery);
  const { data: sessions = [] } = useQuery(sessionsQuery);
  const own = assistants?.filter((one) => one.department.id === me?.department.id) ?? [];
  const others = assistants?.filter((one) => one.department.id !== me?.department.id) ?? [];
  return (
    <div className="relative min-h-full">
      <Ground className="absolute inset-x-0 top-0 h-72 w-full -scale-y-100" />
      <div className="relative mx-auto max-w-5xl px-5 pt-20 pb-16 sm:px-10 lg:pt-24">
        <p className="text-sm font-medium text-accent-text">
          {me ? `${me.department.name} · ${me.tenant.name}` : "\u00a0"}
        </p>
        <h1 className="mt-2 max-w-2xl text-4xl leading-[1.1] font-semibold tracking-tight sm:text-5xl">
          {greeting()}
          {me ? `, ${me.name.split(" ")[0] ?? me.name}` : ""}.
        </h1>
        <p className="mt-3 max-w-xl text-[17px] text-quiet">
          Choose an assistant and ask. Every sentence of an answer leads to the passage it rests on.
        </p>
        {error ? (
          <ProblemCard problem={asProblem(error)} onRetry={() => void refetch()} className="mt-8" />
        ) : null}
        {assistants?.length === 0 ? (
          <EmptyState icon={MessagesSquare} title="No assistant is open to you yet">
            Ask your department’s administrator to add you to a group that may use one.
          </EmptyState>
        ) : null}
        {!assistants && !error ? (
          <div role="status" aria-label="Loading assistants" className="mt-10 grid gap-4 sm:grid-cols-2">
            <Skeleton className="h-44" />
            <Skeleton className="h-44" />
          </div>
        ) : null}
        <Own assistants={own} />
        <Group name={own.length ? "Other departments" : "Assistants"} assistants={others} />
        {assistants?.length ? (
          sessions.length ? (
            <Recent sessions={sessions.slice(0, 3)} />
          ) : (
            <FirstSteps />
          )
        ) : null}
      </div>
    </div>
  );
}

function greeting() {
  const hour = new Date().getHours();
  if (hour < 5) return "Good evening";
  if (hour < 12) return "Good morning";
  return hour < 18 ? "Good afternoon" : "Good evening";
}

/** The assistants at home in the reader's department, with questions to begin with. */
function Own({ assistants }: { assistants: Assistant[] }) {
  if (!assistants.length) return null;
  return (
    <section aria-label="Your department" className="mt-10 grid gap-4">
      {assistants.map((assistant) => (
        <div
          key={assistant.id}
          className="grid overflow-hidden rounded-3xl border border-line bg-surface shadow-float lg:grid-cols-[1fr_1.05fr]"
        >
          <Link
            to="/a/$assistant"
            params={{ assistant: assistant.id }}
            search={{}}
            className="group flex flex-col p-6 transition-colors hover:bg-accent-soft/40 focus-visible:-outline-offset-4 sm:p-7"
          >
            <AssistantTile assistant={assistant} />
            <span className="mt-4 font-display text-2xl leading-tight font-semibold tracking-tight">
              {assistant.name}
            </span>
            <span className="mt-1.5 mb-6 text-quiet">{assistant.description}</span>
            <span className="mt-auto inline-flex items-center gap-2 font-medium text-accent-text">
              Start a chat
              <ArrowRight
                aria-hidden
                className="size-4 transition-transform duration-200 group-hover:translate-x-0.5"
              />
            </span>
          </Link>
          {assistant.suggestions.length ? (
            <div className="border-line bg-sunken/50 p-6 max-lg:border-t sm:p-7 lg:border-l">
              <h2 className="font-sans text-sm font-semibold tracking-normal text-quiet">
                Ask it, for example
              </h2>
              <ul className="mt-2 -mb-2 divide-y divide-line">
                {assistant.suggestions.slice(0, 4).map((text) => (
                  <li key={text}>
                    <Link
                      to="/a/$assistant"
                      params={{ assistant: assistant.id }}
                      search={{ q: text }}
                      className="flex items-center justify-between gap-3 rounded-md py-3 text-[15px] hover:text-accent-text"
                    >
                      {text}
                      <ArrowUpRight aria-hidden className="size-4 shrink-0 text-quiet" />
                    </Link>
                  </li>
                ))}
              </ul>
            </div>
          ) : null}
        </div>
      ))}
    </section>
  );
}

function Group({ name, assistants }: { name: string; assistants: Assistant[] }) {
  if (!assistants.length) return null;
  return (
    <section aria-label={name} className="mt-10">
      <h2 className="text-sm font-semibold text-quiet">{name}</h2>
      <ul className="mt-3 grid gap-4 sm:grid-cols-2 xl:grid-cols-3">
        {assistants.map((assistant) => (
          <li key={assistant.id}>
            <AssistantCard assistant={assistant} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function AssistantCard({ assistant }: { assistant: Assistant }) {
  const quotes = assistant.mode === "extractive";
  return (
    <Link
      to="/a/$assistant"
      params={{ assistant: assistant.id }}
      search={{}}
      className="group flex h-full flex-col rounded-card border border-line bg-surface p-5 shadow-lift transition-[border-color,box-shadow,transform] duration-200 hover:-translate-y-0.5 hover:border-accent/50 hover:shadow-float"
    >
      <span className="flex items-center gap-3.5">
        <AssistantTile assistant={assistant} />
        <span className="min-w-0">
          <span className="block font-display text-[17px] leading-snug font-semibold">{assistant.name}</span>
          <span className="block text-sm text-quiet">{assistant.department.name}</span>
        </span>
      </span>
      <span className="mt-3.5 mb-4 text-sm text-quiet">{assistant.description}</span>
      <span className="mt-auto flex items-center gap-1.5 border-t border-line pt-3 text-xs text-quiet">
        {quotes ? (
          <Quote aria-hidden className="size-3.5" />
        ) : (
          <ShieldCheck aria-hidden className="size-3.5" />
        )}
        {quotes ? "Quotes, word for word" : "Writes and checks"}
        <ArrowRight
          aria-hidden
          className="ml-auto size-4 text-accent-text transition-transform duration-200 group-hover:translate-x-0.5"
        />
      </span>
    </Link>
  );
}

function Recent({ sessions }: { sessions: Session[] }) {
  return (
    <section aria-label="Continue" className="mt-10">
      <h2 className="text-sm font-semibold text-quiet">Continue</h2>
      <ul className="mt-3 divide-y divide-line overflow-hidden rounded-card border border-line bg-surface shadow-lift">
        {sessions.map((session) => (
          <li key={session.id}>
            <Link
              to="/c/$session"
              params={{ session: session.id }}
              className="flex items-center justify-between gap-4 px-4 py-3 text-sm hover:bg-sunken focus-visible:-outline-offset-2"
            >
              <span className="min-w-0 truncate font-medium">{session.title}</span>
              <time dateTime={session.updated_at} className="shrink-0 text-xs text-quiet">
                {moment(session.updated_at)}
              </time>
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}

function FirstSteps() {
  const steps = [
    ["Ask in your own words", "A whole question finds more than single words do."],
    ["Press a number", "It opens the document at the passage, with the words marked."],
    ["Expect an honest “I don’t know”", "When the documents carry no answer, you are told so."],
  ] as const;
  return (
    <section aria-label="How it works" className="mt-12">
      <h2 className="text-sm font-semibold text-quiet">How it works</h2>
      <ol className="mt-3 grid gap-x-8 gap-y-5 sm:grid-cols-3">
        {steps.map(([title, text], index) => (
          <li key={title} className="border-t-2 border-accent/30 pt-3">
            <p className="font-display font-semibold">
              <span className="mr-1.5 text-accent-text tabular">{index + 1}</span>
              {title}
            </p>
            <p className="mt-1 text-sm text-quiet">{text}</p>
          </li>
        ))}
      </ol>
    </section>
  );
}

import { Button } from "@/components/ui/button";
import { Dialog, DialogClose, DialogContent } from "@/components/ui/dialog";
import { Input } from "@/components/ui/field";
import { Menu, MenuContent, MenuItem, MenuTrigger } from "@/components/ui/menu";
import { Skeleton } from "@/components/ui/card";
import { body, client } from "@/lib/api/client";
import { asProblem } from "@/lib/api/problem";
import { sessionsQuery } from "@/lib/api/queries";
import type { Session } from "@/lib/api/types";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { Ellipsis, Pencil, Search, Trash2 } from "lucide-react";
import { useState } from "react";
import { toast } from "sonner";
import { byDay } from "./by-day";

/** The reader's chats: found by title, grouped by day, renamed and deleted in place. */
export function SessionList() {
  const { data: sessions, error, refetch } = useQuery(sessionsQuery);
  const [wanted, setWanted] = useState("");
  const found = sessions?.filter(({ title }) => title.toLowerCase().includes(wanted.trim().toLowerCase()));
  return (
    <nav aria-label="Your chats" className="flex min-h-0 flex-1 flex-col">
      {sessions && sessions.length > 0 ? (
        <div className="relative px-3 pb-2">
          <Search aria-hidden className="pointer-events-none absolute top-2.5 left-6 size-4 text-quiet" />
          <Input
            type="search"
            aria-label="Find a chat"
            placeholder="Find a chat"
            value={wanted}
            onChange={(event) => setWanted(event.target.value)}
            className="h-9 border-transparent bg-surface/70 pl-9"
          />
        </div>
      ) : null}
      <div className="min-h-0 flex-1 overflow-y-auto px-3 pb-3">
        {error ? (
          <p className="px-2 py-3 text-sm text-quiet">
            Your chats could not be loaded.{" "}
            <button
              type="button"
              onClick={() => void refetch()}
              className="min-h-6 font-medium text-accent-text underline"
            >
              Try again
            </button>
          </p>
        ) : null}
        {!found && !error ? (
          <div role="status" aria-label="Loading your chats" className="grid gap-2 p-2">
            <Skeleton className="h-5" />
            <Skeleton className="h-5 w-4/5" />
          </div>
        ) : null}
        {found?.length === 0 ? (
          <p className="px-2 py-3 text-sm text-quiet">
            {wanted ? `No chat is called “${wanted}”.` : "Your chats will be kept here."}
          </p>
        ) : null}
        {byDay(found ?? [], new Date()).map(([day, items]) => (
          <section key={day} aria-label={day} className="mt-3 first:mt-1">
            <h2 className="px-2 pb-1 font-sans text-xs font-medium tracking-normal text-quiet">{day}</h2>
            <ul className="grid gap-px">
              {items.map((session) => (
                <Item key={session.id} session={session} />
              ))}
            </ul>
          </section>
        ))}
      </div>
    </nav>
  );
}

function Item({ session }: { session: Session }) {
  const cache = useQueryClient();
  const navigate = useNavigate();
  const open = useParams({ strict: false }).session;
  const [asked, setAsked] = useState<"rename" | "delete" | null>(null);
  const path = { params: { path: { session: session.id } } };
  const fail = (what: string) => (error: Error) =>
    toast.error(what, { description: asProblem(error).detail });

  const rename = useMutation({
    mutationFn: (title: string) =>
      body(client.PATCH("/api/sessions/{session}", { ...path, body: { title } })),
    onSuccess: ({ title }) => {
      cache.setQueryData(sessionsQuery.queryKey, (all) =>
        all?.map((one) => (one.id === session.id ? { ...one, title } : one)),
      );
      cache.setQueryData(["session", session.id], (chat: object | undefined) => chat && { ...chat, title });
    },
    onError: fail("The chat was not renamed"),
  });
  const remove = useMutation({
    mutationFn: () => body(client.DELETE("/api/sessions/{session}", path)),
    onSuccess: async () => {
      cache.setQueryData(sessionsQuery.queryKey, (all) => all?.filter((one) => one.id !== session.id));
      cache.removeQueries({ queryKey: ["session", session.id] });
      toast.success("The chat was deleted");
      if (open === session.id) await navigate({ to: "/" });
    },
    onError: fail("The chat was not deleted"),
  });

  return (
    <li className="group relative min-w-0">
      <Link
        to="/c/$session"
        params={{ session: session.id }}
        className="block truncate rounded-lg py-1.5 pr-9 pl-2 text-sm hover:bg-surface/70 focus-visible:-outline-offset-2 aria-[current=page]:bg-surface aria-[current=page]:font-medium aria-[current=page]:shadow-lift"
      >
        {session.title}
      </Link>
      <Menu>
        <MenuTrigger asChild>
          <Button
            look="quiet"
            size="icon-sm"
            aria-label={`More for “${session.title}”`}
            className="absolute top-0.5 right-0.5 size-7 opacity-0 group-focus-within:opacity-100 group-hover:opacity-100 data-[state=open]:opacity-100 pointer-coarse:opacity-100"
          >
            <Ellipsis />
          </Button>
        </MenuTrigger>
        <MenuContent align="end">
          <MenuItem onSelect={() => setAsked("rename")}>
            <Pencil /> Rename
          </MenuItem>
          <MenuItem harm onSelect={() => setAsked("delete")}>
            <Trash2 /> Delete
          </MenuItem>
        </MenuContent>
      </Menu>
      <Dialog open={asked === "rename"} onOpenChange={(next) => next || setAsked(null)}>
        <DialogContent title="Rename the chat">
          <form
            className="grid gap-4 p-5"
            onSubmit={(event) => {
              event.preventDefault();
              const title = new FormData(event.currentTarget).get("title");
              if (typeof title === "string" && title.trim()) rename.mutate(title.trim());
              setAsked(null);
            }}
          >
            <Input
              name="title"
              aria-label="Title"
              defaultValue={session.title}
              maxLength={120}
              required
              autoFocus
            />
            <div className="flex justify-end gap-2">
              <DialogClose asChild>
                <Button look="quiet">Cancel</Button>
              </DialogClose>
              <Button look="primary" type="submit">
                Rename
              </Button>
            </div>
          </form>
        </DialogContent>
      </Dialog>
      <Dialog open={asked === "delete"} onOpenChange={(next) => next || setAsked(null)}>
        <DialogContent
          role="alertdialog"
          title="Delete this chat?"
          description={`“${session.title}” and its answers will be removed for good.`}
        >
          <div className="flex justify-end gap-2 p-5">
            <DialogClose asChild>
              <Button look="quiet">Keep it</Button>
            </DialogClose>
            <Button
              look="harm"
              onClick={() => {
                remove.mutate();
                setAsked(null);
              }}
            >
              Delete
            </Button>
          </div>
        </DialogContent>
      </Dialog>
    </li>
  );
}

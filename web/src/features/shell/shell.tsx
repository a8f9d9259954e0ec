import { Logo, Mark } from "@/components/logo";
import { Button } from "@/components/ui/button";
import { Dialog, SheetContent } from "@/components/ui/dialog";
import { Kbd } from "@/components/ui/kbd";
import { SessionList } from "@/features/sessions/session-list";
import { REGION } from "@/lib/announce";
import { assistantsQuery, meQuery } from "@/lib/api/queries";
import { useShortcut } from "@/lib/shortcuts";
import { useMedia } from "@/lib/use-media";
import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useLocation, useNavigate } from "@tanstack/react-router";
import { ChartColumn, FileStack, Menu as Bars, Search, SquarePen } from "lucide-react";
import { useCallback, useEffect, useRef, useState } from "react";
import { Help } from "./help";
import { Palette } from "./palette";
import { PersonMenu } from "./person-menu";

/** The frame around every page: the rail with chats and pages, the palette, the help, and the keys. */
export function Shell() {
  const navigate = useNavigate();
  const path = useLocation({ select: (location) => location.pathname });
  const roomy = useMedia("(min-width: 1024px)");
  const [palette, setPalette] = useState(false);
  const [help, setHelp] = useState(false);
  const [rail, setRail] = useState<string | null>(null);
  const main = useRef<HTMLElement>(null);
  const seen = useRef(path);

  useShortcut(
    "mod+k",
    useCallback(() => setPalette((open) => !open), []),
  );
  useShortcut(
    "mod+shift+o",
    useCallback(() => void navigate({ to: "/" }), [navigate]),
  );
  useShortcut(
    "?",
    useCallback(() => setHelp(true), []),
  );
  useShortcut(
    "/",
    useCallback(() => document.querySelector<HTMLTextAreaElement>("[data-composer]")?.focus(), []),
  );

  useEffect(() => {
    if (seen.current === path) return;
    seen.current = path;
    // The composer takes the focus by itself; elsewhere a new page begins at its top.
    if (!main.current?.contains(document.activeElement)) main.current?.focus({ preventScroll: true });
  }, [path]);

  const inner = <Rail onFind={() => setPalette(true)} onHelp={() => setHelp(true)} />;
  return (
    <div className="flex h-full">
      <a
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}
        className="fixed top-2 left-2 z-60 -translate-y-16 rounded-lg bg-accent px-4 py-2 font-medium text-on-accent focus:translate-y-0"
      >
        Skip to the content
      </a>
      {roomy ? (
        <header className="flex w-72 shrink-0 flex-col border-r border-line bg-rail">{inner}</header>
      ) : (
        <>
          <header className="fixed top-2 left-2.5 z-20">
            <Button look="outline" size="icon" aria-label="Open the menu" onClick={() => setRail(path)}>
              <Bars />
            </Button>
          </header>
          {/* Going somewhere closes it: it is open only for the page on which it was opened. */}
          <Dialog open={rail === path} onOpenChange={(open) => setRail(open ? path : null)}>
            <SheetContent title="Menu" side="left" className="bg-rail">
              {inner}
            </SheetContent>
          </Dialog>
        </>
      )}
      <main
        id="main"
        ref={main}
        tabIndex={-1}
        className="relative min-w-0 flex-1 overflow-y-auto outline-none"
      >
        {roomy || /^\/[ac]\//.test(path) ? null : (
          <Link to="/" aria-label="Strata, home" className="absolute top-4 left-15 z-10 rounded-lg">
            <Logo />
          </Link>
        )}
        <Outlet />
      </main>
      <div id={REGION} role="status" aria-live="polite" className="sr-only" />
      <Palette open={palette} onOpenChange={setPalette} onHelp={() => setHelp(true)} />
      <Help open={help} onOpenChange={setHelp} />
    </div>
  );
}

const link =
  "flex h-9 items-center gap-3 rounded-lg px-2.5 text-sm font-medium hover:bg-surface/70 aria-[current=page]:bg-surface aria-[current=page]:shadow-lift focus-visible:-outline-offset-2 [&_svg]:size-4 [&_svg]:text-quiet";

function Rail({ onFind, onHelp }: { onFind: () => void; onHelp: () => void }) {
  const { data: me } = useQuery(meQuery);
  const { data: assistants } = useQuery(assistantsQuery);
  const only = assistants?.length === 1 ? assistants[0] : undefined;
  return (
    <>
      <div className="flex items-center justify-between px-4 pt-4 pb-3">
        <Link to="/" aria-label="Strata, home" className="rounded-lg">
          <Logo />
        </Link>
        <span className="max-w-28 truncate text-xs font-medium text-quiet">{me?.tenant.name}</span>
      </div>
      <div className="grid gap-2 px-3 pb-3">
        <Button look="primary" asChild className="justify-start">
          {only ? (
            <Link to="/a/$assistant" params={{ assistant: only.id }} search={{}}>
              <SquarePen /> New chat
            </Link>
          ) : (
            <Link to="/">
              <SquarePen /> New chat
            </Link>
          )}
        </Button>
        <button
          type="button"
          onClick={onFind}
          className="flex h-9 items-center gap-3 rounded-lg border border-line bg-surface/60 px-2.5 text-sm text-quiet transition-colors hover:bg-surface"
        >
          <Search aria-hidden className="size-4" /> Go to… <Kbd keys="mod+k" className="ml-auto" />
        </button>
      </div>
      <nav aria-label="Pages" className="grid gap-px px-3 pb-3">
        <Link to="/documents" search={{}} className={link}>
          <FileStack aria-hidden /> Documents
        </Link>
        {me?.may.usage ? (
          <Link to="/usage" search={{}} className={link}>
            <ChartColumn aria-hidden /> Usage
          </Link>
        ) : null}
      </nav>
      <div className="mx-4 mb-2 h-px bg-line" />
      <SessionList />
      <div className="border-t border-line p-2">
        <PersonMenu onHelp={onHelp} />
      </div>
    </>
  );
}

/** Where there is nothing at an address. */
export function NotFound() {
  return (
    <main id="main" className="grid min-h-full place-items-center p-8">
      <div className="max-w-sm text-center">
        <Mark className="mx-auto size-12 opacity-60" />
        <h1 className="mt-5 text-2xl font-semibold">There is nothing here</h1>
        <p className="mt-2 text-quiet">The address may be mistyped, or what was here has been deleted.</p>
        <Button asChild look="primary" className="mt-6">
          <Link to="/">To the start</Link>
        </Button>
      </div>
    </main>
  );
}

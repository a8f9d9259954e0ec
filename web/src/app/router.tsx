/** Which address shows which page, and who must be signed in to see it. */
import { ProblemCard } from "@/components/problem-card";
import { Skeleton } from "@/components/ui/card";
import { SignIn } from "@/features/account/sign-in";
import { Home } from "@/features/assistants/home";
import { NotFound, Shell } from "@/features/shell/shell";
import { asProblem, ProblemError } from "@/lib/api/problem";
import { meQuery } from "@/lib/api/queries";
import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";

const text = (value: unknown) => (typeof value === "string" && value ? value : undefined);

const root = createRootRouteWithContext<{ cache: QueryClient }>()({
  component: Outlet,
  notFoundComponent: NotFound,
});

const signIn = createRoute({ getParentRoute: () => root, path: "/sign-in", component: SignIn });

const inside = createRoute({
  getParentRoute: () => root,
  id: "inside",
  component: Shell,
  pendingComponent: () => (
    <div role="status" aria-label="Opening Strata" className="grid h-full place-items-center">
      <Skeleton className="h-10 w-40" />
    </div>
  ),
  errorComponent: ({ error, reset }) => (
    <main className="mx-auto max-w-lg p-8">
      <h1 className="sr-only">Strata</h1>
      <ProblemCard problem={asProblem(error)} onRetry={reset} />
    </main>
  ),
  beforeLoad: async ({ context }) => {
    try {
      await context.cache.query(meQuery);
    } catch (error) {
      if (error instanceof ProblemError && error.problem.status === 401) throw redirect({ to: "/sign-in" });
      throw error;
    }
  },
});

const home = createRoute({ getParentRoute: () => inside, path: "/", component: Home });

const newChat = createRoute({
  getParentRoute: () => inside,
  path: "/a/$assistant",
  validateSearch: (search): { q?: string | undefined } => ({ q: text(search["q"]) }),
  component: lazyRouteComponent(() => import("@/features/chat/pages"), "NewChatPage"),
});

const chat = createRoute({
  getParentRoute: () => inside,
  path: "/c/$session",
  component: lazyRouteComponent(() => import("@/features/chat/pages"), "OpenChatPage"),
});

const documents = createRoute({
  getParentRoute: () => inside,
  path: "/documents",
  validateSearch: (search): { corpus?: string | undefined; upload?: boolean | undefined } => ({
    corpus: text(search["corpus"]),
    upload: search["upload"] === true ? true : undefined,
  }),
  component: lazyRouteComponent(() => import("@/features/documents/documents-page"), "DocumentsPage"),
});

const usage = createRoute({
  getParentRoute: () => inside,
  path: "/usage",
  component: lazyRouteComponent(() => import("@/features/usage/usage-page"), "UsagePage"),
});

const tree = root.addChildren([signIn, inside.addChildren([home, newChat, chat, documents, usage])]);

export const routerOf = (cache: QueryClient) =>
  createRouter({ routeTree: tree, context: { cache }, defaultPreload: "intent", scrollRestoration: true });

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof routerOf>;
  }
}

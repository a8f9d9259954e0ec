/** Starts the web application: the cache of the server's answers, the router, and the few things that float above all pages. */
import "@/app/styles.css";
import { routerOf } from "@/app/router";
import { TooltipProvider } from "@/components/ui/tooltip";
import { ProblemError } from "@/lib/api/problem";
import { useTheme } from "@/lib/theme";
import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Toaster } from "sonner";

const refused = (error: Error) => error instanceof ProblemError && error.problem.status === 401;

const cache = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      // What the server has refused once, it will refuse again; only a lost connection is worth another try.
      retry: (failures, error) => failures < 2 && !(error instanceof ProblemError),
    },
  },
  queryCache: new QueryCache({
    onError: (error, query) => {
      if (refused(error) && query.queryKey[0] !== "me") void router.navigate({ to: "/sign-in" });
    },
  }),
});

const router = routerOf(cache);

function App() {
  return (
    <QueryClientProvider client={cache}>
      <TooltipProvider delayDuration={350}>
        <RouterProvider router={router} />
        <Toaster
          theme={useTheme()}
          position="top-center"
          toastOptions={{
            className: "!rounded-xl !border-line !bg-surface !text-ink !shadow-float !font-sans",
          }}
        />
      </TooltipProvider>
    </QueryClientProvider>
  );
}

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);

import { Ground, Logo } from "@/components/logo";
import { ProblemCard } from "@/components/problem-card";
import { body, client } from "@/lib/api/client";
import { asProblem } from "@/lib/api/problem";
import { meQuery } from "@/lib/api/queries";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { KeyRound, LoaderCircle } from "lucide-react";
import { useEffect, useState } from "react";

/** The token of a sign-in link, taken out of the address before anything else can see it. */
function takeToken(): string {
  const token = decodeURIComponent(location.hash.slice(1));
  if (token) history.replaceState(history.state, "", location.pathname);
  return token;
}

export function SignIn() {
  const [token, setToken] = useState(takeToken);
  const cache = useQueryClient();
  const navigate = useNavigate();
  const { mutate, error, isPending, reset } = useMutation({
    mutationFn: (token: string) => body(client.POST("/api/sign-in", { body: { token } })),
    onSuccess: async (me) => {
      cache.clear();
      cache.setQueryData(meQuery.queryKey, me);
      await navigate({ to: "/" });
    },
  });
  useEffect(() => {
    if (token) mutate(token);
  }, [token, mutate]);
  useEffect(() => {
    // A link opened where this page is shown already changes only the fragment.
    const arrived = () => {
      const next = takeToken();
      if (next) setToken(next);
    };
    globalThis.addEventListener("hashchange", arrived);
    return () => globalThis.removeEventListener("hashchange", arrived);
  }, []);
  return (
    <main id="main" className="relative grid min-h-full place-items-center overflow-hidden px-5 py-16">
      <Ground className="absolute inset-x-0 bottom-0 h-[52dvh] w-full" />
      <div className="relative w-full max-w-md animate-rise">
        <Logo />
        <div className="mt-8 rounded-3xl border border-line bg-surface p-7 shadow-float sm:p-9">
          {isPending || (token && !error) ? (
            <div role="status" className="flex items-center gap-3 py-8">
              <LoaderCircle aria-hidden className="size-5 animate-spin text-accent-text" />
              <h1 className="text-xl font-semibold">Signing you in…</h1>
            </div>
          ) : (
            <>
              <span className="grid size-12 place-items-center rounded-2xl bg-accent-soft text-accent-text">
                <KeyRound aria-hidden className="size-6" />
              </span>
              <h1 className="mt-5 text-3xl font-semibold tracking-tight">Open your sign-in link</h1>
              <p className="mt-2 text-quiet">
                Strata knows you by a personal link. Open the one you were given, on this device and in this
                browser.
              </p>
              {error ? (
                <ProblemCard
                  problem={asProblem(error)}
                  className="mt-5"
                  {...(token
                    ? {
                        onRetry: () => {
                          reset();
                          mutate(token);
                        },
                      }
                    : {})}
                />
              ) : null}
              <h2 className="mt-6 font-sans text-sm font-semibold tracking-normal">
                You have none, or it no longer works?
              </h2>
              <ul className="mt-2 grid list-disc gap-1.5 pl-5 text-sm text-quiet">
                <li>Ask your department’s administrator for a new one.</li>
                <li>Do you run Strata yourself? It prints a link for each person when it starts.</li>
              </ul>
            </>
          )}
        </div>
        <p className="mt-5 text-sm text-quiet">
          Answers from your department’s documents, each sentence tied to its source.
        </p>
      </div>
    </main>
  );
}

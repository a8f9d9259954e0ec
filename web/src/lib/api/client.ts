/** The door to the server: typed by its OpenAPI document, every failure a `ProblemError`. */
import createClient from "openapi-fetch";
import { problemOf, ProblemError } from "./problem";
import type { paths } from "./schema";

/** Proves to the server that a change was asked for by this application and not by a page elsewhere. */
export const WEB_HEADER = { "X-Strata": "web" } as const;

export const client = createClient<paths>({
  baseUrl: globalThis.location.origin,
  headers: WEB_HEADER,
  credentials: "same-origin",
  // Looked up at each call, so that tests may put their own in its place.
  fetch: (request) => globalThis.fetch(request),
});

client.use({
  async onResponse({ response }) {
    if (!response.ok) throw new ProblemError(await problemOf(response));
  },
});

/** The body of a call that succeeded; failures have been thrown before. */
export async function body<T>(call: Promise<{ data?: T }>): Promise<T> {
  const { data } = await call;
  return data as T;
}

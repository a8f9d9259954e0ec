/** Every question to the server by name, so that features share one cache. */
import { queryOptions } from "@tanstack/react-query";
import { body, client } from "./client";

export const meQuery = queryOptions({
  queryKey: ["me"],
  queryFn: () => body(client.GET("/api/me")),
  staleTime: 5 * 60_000,
});

export const assistantsQuery = queryOptions({
  queryKey: ["assistants"],
  queryFn: () => body(client.GET("/api/assistants")),
  staleTime: 5 * 60_000,
});

export const sessionsQuery = queryOptions({
  queryKey: ["sessions"],
  queryFn: () => body(client.GET("/api/sessions")),
});

export const corporaQuery = queryOptions({
  queryKey: ["corpora"],
  queryFn: () => body(client.GET("/api/corpora")),
  staleTime: 60_000,
});

export const documentQuery = (document: string) =>
  queryOptions({
    queryKey: ["document", document],
    queryFn: () => body(client.GET("/api/documents/{document}", { params: { path: { document } } })),
  });

export const documentTextQuery = (document: string) =>
  queryOptions({
    queryKey: ["document-text", document],
    queryFn: () => body(client.GET("/api/documents/{document}/text", { params: { path: { document } } })),
    staleTime: 5 * 60_000,
  });

/** What went wrong, as the server tells it (RFC 9457), or as we tell it when the server cannot be reached. */
import type { Problem } from "./types";

export class ProblemError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail || problem.title);
    this.name = "ProblemError";
    this.problem = problem;
  }
}

export const UNREACHABLE: Problem = {
  type: "urn:strata:problem:unreachable",
  title: "Strata cannot be reached",
  status: 0,
  detail: "Check your connection, then try again. Nothing you wrote is lost.",
};

const UNEXPECTED: Problem = {
  type: "urn:strata:problem:unexpected",
  title: "Something went wrong here",
  status: 0,
  detail: "Reload the page and try again. If it happens once more, tell your administrator.",
};

/** Reads whatever a failed response carries as a problem; never throws. */
export async function problemOf(response: Response): Promise<Problem> {
  try {
    const body: unknown = await response.json();
    if (isProblem(body)) return body;
  } catch {
    // Not JSON: a proxy's page, or nothing. The status is then all we know.
  }
  return {
    type: "urn:strata:problem:http",
    title: "The server could not do that",
    status: response.status,
    detail: `It answered with status ${response.status}. Try again in a moment.`,
  };
}

export function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && "detail" in value && "title" in value;
}

/** Any thrown thing as a problem that can be shown. */
export function asProblem(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  // fetch rejects with a TypeError when no response came at all.
  if (error instanceof TypeError) return UNREACHABLE;
  return UNEXPECTED;
}

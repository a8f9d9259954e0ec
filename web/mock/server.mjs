/**
 * Plays Strata's HTTP API with sample data, slowly enough to watch: `node mock/server.mjs [port]` (0 for any free one).
 * It also serves dist/ under the content security policy that the real server uses. MOCK_PACE is the milliseconds between parts.
 */
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { answerTo } from "./answers.mjs";
import { documents as sampleDocuments } from "./documents.mjs";
import { ASSISTANTS, CORPORA, PERSONS, usage } from "./people.mjs";

const PORT = Number(process.argv[2] ?? process.env.MOCK_PORT ?? 8787);
const PACE = Number(process.env.MOCK_PACE ?? 450);
const DIST = join(import.meta.dirname, "..", "dist");
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; " +
  "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const MEDIA = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
  ".wasm": "application/wasm",
  ".json": "application/json",
};

const cookies = new Map();
const library = new Map(sampleDocuments().map((document) => [document.about.id, document]));
const sessions = new Map();
const messages = new Map();
let counter = 0;
const id = (prefix) => `${prefix}-${(counter += 1).toString(36)}${Math.random().toString(36).slice(2, 8)}`;
const now = () => new Date().toISOString();
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function problem(status, slug, detail, more = {}) {
  const titles = {
    400: "Bad request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    409: "Conflict",
    413: "Too large",
    415: "Cannot be read",
    429: "Budget exhausted",
    503: "Unavailable",
  };
  return {
    status,
    body: { type: `urn:strata:problem:${slug}`, title: titles[status], status, detail, ...more },
  };
}

function send(response, status, body) {
  const type = status >= 400 ? "application/problem+json" : "application/json";
  response.writeHead(status, { "content-type": type, "cache-control": "no-store" });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

async function bytes(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const session = (item) => ({
  id: item.id,
  title: item.title,
  assistant: item.assistant,
  created_at: item.created_at,
  updated_at: item.updated_at,
});
const may = (person, document) =>
  document.about.readers.includes("everyone") ||
  document.about.readers.some((reader) => person.groups.includes(reader));

function citation(number, { document, words, score }) {
  const { about, content } = library.get(document);
  const start = content.text.indexOf(words);
  const block = content.blocks.find((item) => item.start <= start && start < item.end);
  const headings = content.blocks.filter((item) => item.kind === "heading" && item.start <= start);
  const near = [];
  for (const item of headings) {
    while (near.length && near[near.length - 1].level >= item.level) near.pop();
    near.push(item);
  }
  return {
    number,
    document,
    title: about.title,
    media: about.media,
    page: block?.page ?? null,
    headings: near.slice(1).map((item) => content.text.slice(item.start, item.end)),
    start,
    end: start + words.length,
    quote: words,
    score,
  };
}

async function stream(request, response, chat, text) {
  const answer = answerTo(text);
  const question = {
    id: id("m"),
    role: "reader",
    created_at: now(),
    text,
    sentences: [],
    citations: [],
    outcome: null,
    mode: null,
    usage: null,
    feedback: null,
  };
  const message = {
    ...question,
    id: id("m"),
    role: "assistant",
    text: "",
    sentences: [],
    citations: [],
    outcome: "stopped",
    mode: answer.mode,
  };
  chat.messages.push(question, message);
  messages.set(message.id, message);
  response.writeHead(200, {
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
  });
  let gone = false;
  response.on("close", () => (gone = true));
  const emit = (part) => gone || response.write(`data: ${JSON.stringify(part)}\n\n`);
  const pace = answer.pace ?? PACE;
  const began = Date.now();
  emit({ type: "started", question: question.id, message: message.id, mode: answer.mode });
  await wait(pace);
  emit({
    type: "searched",
    query: text,
    passages: answer.outcome === "abstained" ? 3 : 8,
    documents: answer.outcome === "abstained" ? 2 : 3,
  });
  for (const item of answer.sentences) {
    await wait(pace);
    if (gone) return;
    const numbers = [];
    for (const words of item.quotes) {
      const known = message.citations.find((one) => one.quote === words.words);
      const made = known ?? citation(message.citations.length + 1, words);
      if (!known) {
        message.citations.push(made);
        emit({ type: "citation", citation: made });
      }
      numbers.push(made.number);
    }
    const sentence = { text: item.text, support: item.support, citations: numbers };
    message.sentences.push(sentence);
    message.text += item.text;
    emit({ type: "sentence", sentence });
  }
  await wait(pace);
  if (gone) return;
  message.outcome = answer.outcome ?? "answered";
  if (chat.messages.length === 2) chat.title = answer.title;
  chat.updated_at = now();
  if (answer.outcome === "failed") {
    emit({
      type: "error",
      problem: problem(
        503,
        "model-unavailable",
        "The model stopped answering. Ask again in a minute; nothing was charged.",
      ).body,
    });
    return response.end();
  }
  message.usage = {
    model: answer.model,
    prompt_tokens: answer.model ? 1412 : 0,
    completion_tokens: answer.model ? 96 : 0,
    cost: { micros: answer.model ? 1250 : 0, currency: "USD" },
    seconds: (Date.now() - began) / 1000,
  };
  emit({ type: "usage", usage: message.usage });
  emit({ type: "done", outcome: message.outcome, mode: answer.mode, title: chat.title });
  response.end();
}

function fields(body, type) {
  const boundary = /boundary=(?:"([^"]+)"|([^;]+))/.exec(type ?? "");
  const found = [];
  if (!boundary) return found;
  for (const part of body
    .toString("latin1")
    .split(`--${boundary[1] ?? boundary[2]}`)
    .slice(1, -1)) {
    const cut = part.indexOf("\r\n\r\n");
    const head = Buffer.from(part.slice(0, cut), "latin1").toString("utf8");
    found.push({
      name: /name="([^"]*)"/.exec(head)?.[1],
      file: /filename="([^"]*)"/.exec(head)?.[1],
      media: /content-type:\s*(\S+)/i.exec(head)?.[1],
      value: Buffer.from(part.slice(cut + 4, -2), "latin1"),
    });
  }
  return found;
}

function receive(person, body, type) {
  const parts = fields(body, type);
  const file = parts.find((part) => part.name === "file");
  const text = (name) =>
    parts.filter((part) => part.name === name).map((part) => part.value.toString("utf8"));
  const corpus = CORPORA.find((item) => item.id === text("corpus")[0]);
  if (!file) return problem(400, "no-file", "Choose a file to upload.");
  if (!corpus?.may_upload || !person.may.upload)
    return problem(403, "not-allowed", "You may not add documents to this collection. Ask its department.");
  if (/\.(exe|zip)$/i.test(file.file))
    return problem(
      415,
      "unreadable",
      `${file.file} is of a kind that cannot be read. Upload PDF, Word, PowerPoint, Excel, HTML, Markdown, e-mail or text.`,
    );
  const lines = file.value.toString("utf8");
  const readers = text("readers");
  const made = {
    about: {
      id: id("d"),
      title: file.file.replace(/\.\w+$/, ""),
      source: file.file,
      corpus: corpus.id,
      media: file.media ?? "text/plain",
      size: file.value.length,
      state: "received",
      reason: "",
      classification: text("classification")[0] ?? "internal",
      readers: readers.length ? readers : [corpus.id],
      pages: null,
      chunks: 0,
      received_at: now(),
      indexed_at: null,
    },
    content: {
      text: lines,
      pages: [],
      blocks: [{ kind: "paragraph", start: 0, end: lines.length, page: null, level: 0 }],
    },
    original: file.value,
  };
  library.set(made.about.id, made);
  settle(made);
  return { status: 202, body: made.about };
}

function settle(document) {
  setTimeout(() => {
    if (/scan|broken/i.test(document.about.title))
      Object.assign(document.about, {
        state: "quarantined",
        reason: "No text was found on its pages. Upload a version with text.",
      });
    else Object.assign(document.about, { state: "indexed", chunks: 4, indexed_at: now() });
  }, PACE * 6);
}

async function api(request, response, path, query) {
  const method = request.method;
  const cookie = /strata=([^;]+)/.exec(request.headers.cookie ?? "")?.[1];
  if (method !== "GET" && request.headers["x-strata"] !== "web")
    return problem(403, "csrf", "This request did not come from the web application.");
  const body = method === "GET" ? null : await bytes(request);
  const json = () => JSON.parse(body.toString("utf8") || "{}");
  if (path === "/api/sign-in") {
    const person = PERSONS[json().token];
    if (!person)
      return problem(
        401,
        "unknown-link",
        "This sign-in link is unknown or was withdrawn. Ask for a new one.",
      );
    const key = id("s");
    cookies.set(key, person);
    response.setHeader("set-cookie", `strata=${key}; Path=/; HttpOnly; SameSite=Strict`);
    return { status: 200, body: person };
  }
  const person = cookies.get(cookie);
  if (!person) return problem(401, "not-signed-in", "Open your sign-in link to continue.");
  const own = [...sessions.values()].filter((item) => item.owner === person.id);
  const route = `${method} ${path}`;
  let match;
  if (route === "GET /api/me") return { status: 200, body: person };
  if (route === "POST /api/sign-out") {
    cookies.delete(cookie);
    return { status: 204 };
  }
  if (route === "GET /api/assistants")
    return { status: 200, body: person.may.usage ? ASSISTANTS : ASSISTANTS.slice(3) };
  if (route === "GET /api/corpora")
    return {
      status: 200,
      body: CORPORA.map((item) => ({ ...item, may_upload: item.may_upload && person.may.upload })),
    };
  if (route === "GET /api/usage") {
    if (!person.may.usage)
      return problem(
        403,
        "not-allowed",
        "You may not see usage figures. Ask your department's finance role.",
      );
    return { status: 200, body: usage(query.get("by") ?? "department", Number(query.get("days") ?? 30)) };
  }
  if (route === "GET /api/sessions")
    return { status: 200, body: own.sort((a, b) => b.updated_at.localeCompare(a.updated_at)).map(session) };
  if (route === "POST /api/sessions") {
    const made = {
      id: id("c"),
      owner: person.id,
      title: "New chat",
      assistant: json().assistant,
      created_at: now(),
      updated_at: now(),
      messages: [],
    };
    sessions.set(made.id, made);
    return { status: 201, body: session(made) };
  }
  if ((match = /^\/api\/sessions\/([^/]+)(\/messages)?$/.exec(path))) {
    const chat = own.find((item) => item.id === match[1]);
    if (!chat) return problem(404, "no-session", "There is no such chat. It may have been deleted.");
    if (match[2]) {
      const { text } = json();
      if (/budget/i.test(text)) {
        const resets_at = new Date(Date.now() + 9 * 86_400_000).toISOString();
        return problem(
          429,
          "budget-exhausted",
          "The budget of Research for this month is used up. It resets on the first of next month.",
          { budget: "Research", resets_at },
        );
      }
      await stream(request, response, chat, text);
      return null;
    }
    if (method === "PATCH") chat.title = json().title;
    if (method === "DELETE") {
      sessions.delete(chat.id);
      return { status: 204 };
    }
    return {
      status: 200,
      body: method === "GET" ? { ...session(chat), messages: chat.messages } : session(chat),
    };
  }
  if ((match = /^\/api\/messages\/([^/]+)\/feedback$/.exec(path))) {
    const message = messages.get(match[1]);
    if (!message) return problem(404, "no-message", "There is no such answer.");
    message.feedback = method === "DELETE" ? null : json();
    return method === "DELETE" ? { status: 204 } : { status: 200, body: message.feedback };
  }
  if (route === "POST /api/documents") return receive(person, body, request.headers["content-type"]);
  const readable = [...library.values()].filter((document) => may(person, document));
  if (route === "GET /api/documents") {
    const corpus = query.get("corpus");
    return {
      status: 200,
      body: readable.map((document) => document.about).filter((about) => !corpus || about.corpus === corpus),
    };
  }
  if ((match = /^\/api\/documents\/([^/]+)(?:\/(text|original|retry))?$/.exec(path))) {
    const document = readable.find((item) => item.about.id === match[1]);
    if (!document) return problem(404, "no-document", "There is no such document, or you may not read it.");
    if (match[2] === "text") return { status: 200, body: document.content };
    if (match[2] === "original") {
      response.writeHead(200, { "content-type": document.about.media, "cache-control": "private, no-store" });
      response.end(document.original);
      return null;
    }
    if (match[2] === "retry") {
      Object.assign(document.about, { state: "received", reason: "" });
      settle(document);
      return { status: 202, body: document.about };
    }
    if (method === "DELETE") {
      library.delete(document.about.id);
      return { status: 204 };
    }
    return { status: 200, body: document.about };
  }
  return problem(404, "no-route", "There is nothing at this address.");
}

function page(response, path) {
  const wanted = normalize(join(DIST, path));
  const found =
    wanted.startsWith(DIST) && existsSync(wanted) && statSync(wanted).isFile()
      ? wanted
      : join(DIST, "index.html");
  if (!existsSync(found))
    return send(response, 404, problem(404, "no-build", "Run npm run build first.").body);
  response.writeHead(200, {
    "content-type": MEDIA[extname(found)] ?? "application/octet-stream",
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
  });
  createReadStream(found).pipe(response);
}

const server = createServer((request, response) => {
  const url = new URL(request.url, "http://mock");
  if (url.pathname === "/healthz") return send(response, 200, { status: "ok" });
  if (!url.pathname.startsWith("/api/")) return page(response, url.pathname);
  api(request, response, url.pathname, url.searchParams)
    .then((result) => result && send(response, result.status, result.body))
    .catch((error) => send(response, 400, problem(400, "bad-request", String(error)).body));
});

server.listen(PORT, "127.0.0.1", () => {
  console.log(`Strata's mock listens on http://127.0.0.1:${server.address().port}/sign-in#ingrid`);
});

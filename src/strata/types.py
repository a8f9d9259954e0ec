"""The nouns that every layer shares: values only, frozen, no behaviour that touches the world.

Money is integer micro-units with a currency, time is aware UTC, ids are opaque strings, and every value that is stored
names its tenant. This vocabulary is append-only: a field that left would break what was written yesterday.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from strata.values import value

Json = dict[str, Any]


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def new_id(prefix: str) -> str:
    """A fresh opaque id such as `doc_2f…`: 128 random bits, so it never repeats and cannot be guessed."""
    return f"{prefix}_{secrets.token_hex(16)}"


def digest(*parts: str | bytes) -> str:
    """SHA-256 in hexadecimal over the parts, each with its length before it, so that ("ab", "c") is not ("a", "bc")."""
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        sha.update(len(data).to_bytes(8, "big"))
        sha.update(data)
    return sha.hexdigest()


# ------------------------------------------------------------------ who


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking: a person, or a service acting in its own name."""

    tenant: str
    id: str
    name: str = ""
    department: str = ""
    groups: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    kind: Literal["person", "service"] = "person"

    @property
    def fingerprint(self) -> str:
        """Two principals with equal fingerprints have equal rights."""
        parts = (self.tenant, self.kind, self.id, self.department, *sorted(self.groups), "|", *sorted(self.roles))
        return digest(*parts)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the organisation's directory."""

    id: str
    name: str
    email: str
    department: str
    title: str = ""
    groups: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset({"member"})

    def principal(self, tenant: str) -> Principal:
        """The person as the one who asks: everybody is in `everyone` and in the group of their department."""
        groups = self.groups | {"everyone", self.department}
        return Principal(tenant, self.id, self.name, self.department, groups, self.roles)


@dataclass(frozen=True, slots=True)
class Department:
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Subject:
    """On whose account a model call runs: the fields by which usage is summed and budgets are kept."""

    tenant: str
    department: str
    person: str
    assistant: str = ""
    key: str = ""


# ------------------------------------------------------------------ money and models


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in millionths of a currency unit: Money(1_250_000, "USD") is $1.25."""

    micros: int
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in micro-units per million tokens; `request` and `image` in micro-units for each.

    What is None costs as much as the kind that it belongs to: cached and cache-written tokens and audio as `input`,
    tokens written for an hour as `cache_write`, reasoning and audio as `output`. `discount_percent` is what a contract
    takes off; `batch_percent` is what is left where the model is called in batches.
    """

    input: int = 0
    output: int = 0
    cached_input: int | None = None
    request: int = 0
    currency: str = "USD"
    cache_write: int | None = None
    cache_write_hour: int | None = None
    reasoning: int | None = None
    audio_input: int | None = None
    audio_output: int | None = None
    image: int = 0
    batch_percent: int = 100
    discount_percent: int = 0


@value
class Usage:
    """Tokens of one call. Cached tokens, those written to a vendor's cache and audio heard are part of the prompt's,
    reasoning tokens and audio said part of the completion's; those written for an hour are part of those written.
    `images` are pictures made, where each is priced.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_tokens: int = 0
    audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    images: int = 0
    cache_write_hour_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


Period = Literal["day", "week", "month", "quarter", "year", "total"]


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit that spending of one subject cannot pass within a period (UTC; weeks begin on Monday; `total` never ends).

    `subject` is `tenant`, or a field of Subject or `model` and a value: `department:research`, `model:smart`;
    `person:*` is each person for themselves; `+` joins several that must all hold. People are told at `alarm_percent`
    of the limit, at each of `alarms` and at the limit. One that is not `hard` only tells, and refuses nothing.
    """

    id: str
    name: str
    subject: str
    limit: Money
    period: Period = "month"
    alarm_percent: int = 80
    alarms: tuple[int, ...] = ()
    hard: bool = True


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """A budget in its present period. `reserved` is held by calls under way, in micro-units. `member` says whose it is
    where each has their own (`person:ines` of `person:*`). `resets_at` is None for a period that never ends.
    """

    budget: Budget
    period: str
    spent: int
    reserved: int
    state: Literal["ok", "alarm", "exhausted"]
    resets_at: datetime | None
    member: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """A model under the platform's own name; which vendor stands behind it is the gateway's business."""

    name: str
    kind: Literal["chat", "embedding", "rerank", "image", "speech", "transcription"]
    context: int = 0
    dimensions: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """A message to a model. `retrieved` are the stretches of its content that come from documents, word for word."""

    role: Literal["system", "user", "assistant"]
    content: str
    retrieved: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question to a model. `request_id` makes it idempotent; `assistant` says on whose behalf; `classification` is
    that of the most confidential passage inside, where there is one.
    """

    model: str
    messages: tuple[Message, ...]
    max_tokens: int = 512
    temperature: float = 0.0
    stop: tuple[str, ...] = ()
    assistant: str = ""
    request_id: str = field(default_factory=lambda: new_id("req"))
    classification: str = ""


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's whole answer with what it cost."""

    request_id: str
    model: str
    text: str
    finish_reason: str
    usage: Usage
    cost: Money


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a streamed answer. The last one has a finish reason, the usage and the cost."""

    text: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None
    cost: Money | None = None


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """Texts to be turned into vectors; `purpose` lets a provider treat questions and passages differently;
    `classification` is that of the most confidential text.
    """

    model: str
    texts: tuple[str, ...]
    purpose: Literal["document", "query"] = "document"
    assistant: str = ""
    request_id: str = field(default_factory=lambda: new_id("req"))
    classification: str = ""


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One vector of `dimensions` floats per text, in the order asked."""

    request_id: str
    model: str
    vectors: list[list[float]]
    usage: Usage
    cost: Money


# ------------------------------------------------------------------ documents

Classification = Literal["public", "internal", "confidential", "restricted"]
CLASSIFICATIONS: tuple[Classification, ...] = ("public", "internal", "confidential", "restricted")


@dataclass(frozen=True, slots=True)
class AccessLabel:
    """Everything about a document that decides who may read it. Documents with equal labels have equal readers.

    Stores keep `key` beside each chunk and filter by the set of keys that policy grants the reader, so the store's
    filter and the policy cannot disagree.
    """

    tenant: str
    readers: frozenset[str] = frozenset()
    classification: Classification = "internal"
    department: str = ""

    @property
    def key(self) -> str:
        return digest(self.tenant, self.classification, self.department, *sorted(self.readers))[:24]


@dataclass(frozen=True, slots=True)
class Corpus:
    """A collection of documents that belongs to a department. `path` is where the sample or a sync finds its files."""

    id: str
    name: str
    department: str
    readers: frozenset[str] = frozenset()
    classification: Classification = "internal"
    path: str = ""


@dataclass(frozen=True, slots=True)
class NewDocument:
    """What the sender of a document says of it. `source` is its stable address within the corpus (a relative path)."""

    corpus: str
    source: str
    media: str = ""
    readers: frozenset[str] | None = None
    classification: Classification | None = None
    title: str = ""


DocumentState = Literal["received", "indexed", "quarantined"]


@dataclass(frozen=True, slots=True)
class Document:
    """A document as the data layer knows it. `id` is derived from tenant, corpus and source; `content` is the SHA-256
    of the original, so the same file sent twice is the same document. `revision` counts its changes.
    """

    id: str
    tenant: str
    corpus: str
    source: str
    title: str
    media: str
    size: int
    content: str
    department: str
    readers: frozenset[str]
    classification: Classification
    state: DocumentState
    received_at: datetime
    revision: int = 1
    reason: str = ""
    indexed_at: datetime | None = None
    pages: int | None = None
    chunks: int = 0
    pipeline: str = ""

    @property
    def label(self) -> AccessLabel:
        return AccessLabel(self.tenant, self.readers, self.classification, self.department)

    def with_state(self, state: DocumentState, reason: str = "") -> Document:
        return replace(self, state=state, reason=reason)


BlockKind = Literal["heading", "paragraph", "table", "list", "code"]


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch [start, end) of a document's text, in characters, and what it is. A table's text is Markdown rows."""

    kind: BlockKind
    start: int
    end: int
    page: int | None = None
    level: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """Page `page`, counted from 1, is the stretch [start, end) of the document's text. Slides and sheets are pages."""

    page: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ParsedText:
    """A document as text: the text, its structure and its title where it has one. Offsets count characters."""

    text: str
    blocks: tuple[Block, ...] = ()
    pages: tuple[Page, ...] = ()
    title: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """A document's original bytes."""

    data: bytes
    media: str
    name: str


@dataclass(frozen=True, slots=True)
class Place:
    """From the character `start` of a document's text on: this page, under these headings."""

    start: int
    page: int | None = None
    headings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage as it is indexed: [start, end) of its document's text, with the page and headings above it.

    `text` is what a citation shows; `context` is what is embedded and searched (title and headings before the text).
    """

    id: str
    tenant: str
    document: str
    revision: int
    corpus: str
    ordinal: int
    text: str
    context: str
    start: int
    end: int
    access: str
    title: str = ""
    source: str = ""
    media: str = ""
    page: int | None = None
    headings: tuple[str, ...] = ()
    tokens: int = 0
    places: tuple[Place, ...] = ()

    def place(self, offset: int) -> Place:
        """Page and headings at an offset of the document's text: a passage may run over the end of a page."""
        found = Place(self.start, self.page, self.headings)
        for place in self.places:
            if place.start <= offset:
                found = place
        return found


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a store: the tenant, and the keys of the access labels that policy grants. Empty sees nothing."""

    tenant: str
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class Query:
    """A search. `k` passages at the most; `corpora` empty means every corpus that the reader may read."""

    text: str
    corpora: tuple[str, ...] = ()
    k: int = 10
    assistant: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that was found. `score` is the fused score in 0..1; `dense` is cosine similarity, `lexical` BM25;
    `classification` is its document's.
    """

    chunk: Chunk
    score: float
    dense: float | None = None
    lexical: float | None = None
    classification: Classification = "restricted"


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What happened to one sent document."""

    document: Document
    outcome: Literal["received", "unchanged", "replaced", "relabelled"]


# ------------------------------------------------------------------ answers


@dataclass(frozen=True, slots=True)
class Assistant:
    """A department's knowledge assistant: whom it serves, what it reads, how it answers."""

    id: str
    name: str
    department: str
    corpora: tuple[str, ...]
    users: frozenset[str]
    description: str = ""
    language: str = "en"
    mode: Literal["generative", "extractive"] = "extractive"
    fallback: Literal["extractive", "none"] = "extractive"
    model: str = ""
    instructions: str = ""
    suggestions: tuple[str, ...] = ()
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a sentence rests: document, page and exact span [start, end) of the document's text."""

    number: int
    document: str
    title: str
    media: str
    page: int | None
    headings: tuple[str, ...]
    start: int
    end: int
    quote: str
    score: float


Support = Literal["supported", "unsupported", "none"]
Outcome = Literal["answered", "abstained", "stopped", "failed"]
AnswerMode = Literal["generative", "extractive"]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an answer with its trailing white space, and the numbers of the citations that carry it."""

    text: str
    support: Support = "none"
    citations: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerUsage:
    """What an answer took: the sum over its model calls."""

    model: str | None
    prompt_tokens: int
    completion_tokens: int
    cost: Money
    seconds: float


@dataclass(frozen=True, slots=True)
class Started:
    question: str
    message: str
    mode: AnswerMode
    type: Literal["started"] = "started"


@dataclass(frozen=True, slots=True)
class Searched:
    query: str
    passages: int
    documents: int
    type: Literal["searched"] = "searched"


@dataclass(frozen=True, slots=True)
class Cited:
    citation: Citation
    type: Literal["citation"] = "citation"


@dataclass(frozen=True, slots=True)
class Said:
    sentence: Sentence
    type: Literal["sentence"] = "sentence"


@dataclass(frozen=True, slots=True)
class Metered:
    usage: AnswerUsage
    type: Literal["usage"] = "usage"


@dataclass(frozen=True, slots=True)
class Done:
    outcome: Outcome
    mode: AnswerMode
    title: str = ""
    type: Literal["done"] = "done"


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer broke off; `problem` is an RFC 9457 problem."""

    problem: Json
    type: Literal["error"] = "error"


Part = Started | Searched | Cited | Said | Metered | Done | Failed


@dataclass(frozen=True, slots=True)
class Feedback:
    emoji: str
    reasons: tuple[str, ...] = ()
    comment: str = ""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message of a chat as it is kept."""

    id: str
    role: Literal["reader", "assistant"]
    created_at: datetime
    text: str
    sentences: tuple[Sentence, ...] = ()
    citations: tuple[Citation, ...] = ()
    outcome: Outcome | None = None
    mode: AnswerMode | None = None
    usage: AnswerUsage | None = None
    feedback: Feedback | None = None


@dataclass(frozen=True, slots=True)
class ChatSession:
    """One person's conversation with one assistant."""

    id: str
    tenant: str
    person: str
    assistant: str
    title: str
    created_at: datetime
    updated_at: datetime


# ------------------------------------------------------------------ reporting


@dataclass(frozen=True, slots=True)
class UsageRow:
    """Usage summed under one key (a department, a person, an assistant or a model)."""

    key: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost_micros: int


@dataclass(frozen=True, slots=True)
class DayUsage:
    day: str
    requests: int
    cost_micros: int


@dataclass(frozen=True, slots=True)
class UsageReport:
    by: str
    since: datetime
    till: datetime
    currency: str
    total: UsageRow
    rows: tuple[UsageRow, ...]
    daily: tuple[DayUsage, ...]
    budgets: tuple[BudgetStatus, ...]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One fact on the record. `hash` covers the previous entry's hash and this entry, so no entry changes unseen."""

    sequence: int
    at: datetime
    tenant: str
    actor: str
    action: str
    subject: str
    detail: Json
    event: str
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """What a verification found: `problems` empty means that every entry stands as it was written."""

    entries: int
    checkpoints: int
    problems: tuple[str, ...]
    root: str


# ------------------------------------------------------------------ evaluation


@dataclass(frozen=True, slots=True)
class EvalCase:
    """A question with what a right answer must hold, and the documents that it must rest on."""

    id: str
    kind: Literal["answerable", "follow_up", "unanswerable", "forbidden"]
    person: str
    assistant: str
    question: str
    after: str = ""
    documents: tuple[str, ...] = ()
    answer: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EvalResult:
    case: str
    kind: str
    passed: bool
    scores: dict[str, float]
    answer: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EvalReport:
    """An evaluation run: the share of cases passed, by kind and in all, with every result."""

    id: str
    dataset: str
    at: datetime
    scores: dict[str, float]
    results: tuple[EvalResult, ...]

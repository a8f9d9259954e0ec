"""Who calls, who pays, and what is asked: the start of every call."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from strata.types import Json, Principal, Subject


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls and who pays. `models` and `operations` are the scope of the API key; None: everything."""

    principal: Principal
    payer: Subject
    models: frozenset[str] | None = None
    operations: frozenset[str] | None = None

    @property
    def name(self) -> str:
        return self.payer.key or self.principal.id


@dataclass(slots=True)
class Ask:
    """What is asked, in the JSON of its operation, which becomes the gateway's and may be changed.

    `request` is the caller's id for the call, by which it is made and charged once; `fresh` says that it was made at
    random just now. `size` is the request's length in bytes. `session` keeps a conversation on one variant.
    `classification` is that of the most confidential thing inside, where the caller says it. `timeout` is the time in
    seconds that the caller allows for all tries together; 0 where it does not say. `trace` is its
    `traceparent`; `reuse`: an answer that was given before will do. `retrieved` are the passages
    inside, by the number of their message, where another layer says so. `arrived` is the moment of `time.perf_counter` at
    which it had been read.
    """

    operation: str
    body: Json = field(repr=False)
    request: str
    size: int = 0
    fresh: bool = False
    session: str = ""
    classification: str = ""
    timeout: float = 0.0
    trace: str = ""
    form: tuple[str, bytes] | None = field(default=None, repr=False)
    deployment: str = ""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    reuse: bool = True
    retrieved: dict[int, tuple[str, ...]] = field(default_factory=dict, repr=False)
    arrived: float = field(default_factory=time.perf_counter)

    @property
    def pictures(self) -> int:
        """How many pictures are asked for."""
        return int(self.body.get("n") or 1) if self.operation == "images" else 0

"""What an operator may set for the application layer."""

from __future__ import annotations

from dataclasses import dataclass

from strata.types import Assistant, Department, Person


@dataclass(frozen=True, slots=True)
class Options:
    """Lifetimes in seconds: `session_idle` without a request, `session_lifetime` in all. `passages` given to an answer;
    `answer_tokens` at most a generated one; `max_upload` in bytes; `secure_cookies` where the site is served by TLS.
    """

    people: tuple[Person, ...] = ()
    departments: tuple[Department, ...] = ()
    assistants: tuple[Assistant, ...] = ()
    organisation: str = ""
    session_idle: float = 8 * 3600.0
    session_lifetime: float = 7 * 24 * 3600.0
    passages: int = 8
    answer_tokens: int = 220
    answer_seconds: float = 60.0
    max_upload: int = 64 * 1024 * 1024
    secure_cookies: bool = False

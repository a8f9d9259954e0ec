"""The errors that Strata raises, by what the caller can do about them.

    StrataError
    ├── Refused               the answer is no; asking again in the same way will not help
    │   ├── Unauthenticated   say who you are
    │   ├── Forbidden         ask for the permission that is named
    │   ├── NotFound          name something that exists (the choices are in the text)
    │   ├── Invalid           mend the request as the text says
    │   ├── Conflict          read again, then decide anew
    │   ├── TooLarge          send less
    │   └── BudgetExhausted   wait until `resets_at`, or have the budget raised
    ├── Later                 try again after `retry_after` seconds
    │   ├── RateLimited       slow down
    │   ├── Unavailable       a neighbour or a store is gone for the moment
    │   └── Deadline          it took longer than the caller allowed
    ├── Upstream              a model vendor failed; another deployment may not
    │   ├── UpstreamRefused   the vendor rejects this very request: mend it
    │   └── UpstreamBroken    the vendor failed or answered nonsense
    └── Misconfigured         an operator has to change the settings; every mistake is listed

Each error knows its HTTP status and a slug, so that every door tells the same story: `problem()` is its RFC 9457 form.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar


class StrataError(Exception):
    """Something went wrong inside; it has been recorded."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str | None = None, **more: Any) -> None:
        self.detail = detail or (type(self).__doc__ or "").split("\n")[0]
        self.more = more
        super().__init__(self.detail)

    def problem(self) -> dict[str, Any]:
        """The error as RFC 9457 problem details."""
        return {
            "type": f"urn:strata:problem:{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.more,
        }


class Refused(StrataError):
    """The request was refused."""

    status, slug, title = 400, "refused", "Refused"


class Unauthenticated(Refused):
    """Sign in, or send a valid API key."""

    status, slug, title = 401, "unauthenticated", "Not signed in"


class Forbidden(Refused):
    """You do not hold the permission for this."""

    status, slug, title = 403, "forbidden", "Not permitted"


class NotFound(Refused):
    """There is nothing of that name here."""

    status, slug, title = 404, "not-found", "Not found"


class Invalid(Refused):
    """The request is not well formed."""

    status, slug, title = 422, "invalid", "Invalid request"


class Conflict(Refused):
    """Somebody else changed this first; read it again."""

    status, slug, title = 409, "conflict", "Changed meanwhile"


class TooLarge(Refused):
    """That is larger than allowed."""

    status, slug, title = 413, "too-large", "Too large"


class BudgetExhausted(Refused):
    """The budget does not allow this call."""

    status, slug, title = 429, "budget-exhausted", "Budget exhausted"

    def __init__(self, detail: str | None = None, *, budget: str = "", resets_at: datetime | str | None = None) -> None:
        when = resets_at.isoformat().replace("+00:00", "Z") if isinstance(resets_at, datetime) else resets_at
        super().__init__(detail, budget=budget, resets_at=when)


class Later(StrataError):
    """Try again later."""

    status, slug, title = 503, "later", "Try again later"

    def __init__(self, detail: str | None = None, *, retry_after: float = 1.0, **more: Any) -> None:
        self.retry_after = retry_after
        super().__init__(detail, retry_after=retry_after, **more)


class RateLimited(Later):
    """Too many requests; slow down. `headers` say how many of them are left to whom."""

    status, slug, title = 429, "rate-limited", "Too many requests"
    named = True
    """Whether whoever set the limit said when to come back; otherwise `retry_after` is a guess."""
    headers: list[tuple[bytes, bytes]] | None = None


class Unavailable(Later):
    """A part of the platform cannot be reached at the moment."""

    slug, title = "unavailable", "Temporarily unavailable"


class Deadline(Later):
    """It took longer than allowed."""

    status, slug, title = 504, "deadline", "Took too long"


class Upstream(StrataError):
    """The model's vendor failed."""

    status, slug, title = 502, "upstream", "Model vendor failed"

    def __init__(
        self, detail: str | None = None, *, vendor_status: int | None = None, retry_after: float | None = None
    ) -> None:
        self.vendor_status = vendor_status
        self.retry_after = retry_after
        super().__init__(detail, vendor_status=vendor_status, retry_after=retry_after)


class UpstreamRefused(Upstream):
    """The model's vendor rejects this request."""

    status, slug, title = 400, "upstream-refused", "Refused by the model vendor"


class UpstreamBroken(Upstream):
    """The model's vendor failed or gave no usable answer."""

    slug, title = "upstream-broken", "Model vendor failed"


class Misconfigured(StrataError):
    """The settings are wrong."""

    slug, title = "misconfigured", "Wrong settings"

    def __init__(self, mistakes: str | Sequence[str]) -> None:
        self.mistakes: tuple[str, ...] = (mistakes,) if isinstance(mistakes, str) else tuple(mistakes)
        super().__init__("\n".join(self.mistakes), mistakes=list(self.mistakes))


def tree() -> dict[str, type[StrataError]]:
    """Every error by its slug: how a problem that came over the network becomes the error that it was."""
    found: dict[str, type[StrataError]] = {}
    waiting: list[type[StrataError]] = [StrataError]
    while waiting:
        kind = waiting.pop()
        found[kind.slug] = kind
        waiting.extend(kind.__subclasses__())
    return found


def from_problem(problem: dict[str, Any]) -> StrataError:
    """The error that a problem document tells of; an unknown one becomes a plain StrataError."""
    slug = str(problem.get("type", "")).rpartition(":")[2]
    kind = tree().get(slug, StrataError)
    more = {key: value for key, value in problem.items() if key not in {"type", "title", "status", "detail"}}
    if issubclass(kind, Misconfigured):
        return kind(more.get("mistakes") or str(problem.get("detail", "")))
    return kind(problem.get("detail"), **more)

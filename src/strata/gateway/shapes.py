"""JSON from outside may have any shape: where it is translated, what does not fit becomes the error of who sent it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from strata.errors import Invalid, UpstreamBroken

UNFIT = (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError, RecursionError)


@contextmanager
def answered(name: str) -> Iterator[None]:
    """Around the reading of a vendor's answer."""
    try:
        yield
    except UNFIT as error:
        raise UpstreamBroken(f"{name} answered with something that cannot be understood") from error


@contextmanager
def asked() -> Iterator[None]:
    """Around the reading of a caller's request."""
    try:
        yield
    except UNFIT as error:
        raise Invalid("the request is not well formed: a field has a shape that it cannot have") from error

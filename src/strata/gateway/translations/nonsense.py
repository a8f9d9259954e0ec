"""Tells whose fault it is when JSON has the wrong shape: the caller's, who can mend the request, or the vendor's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from strata.errors import Invalid, UpstreamBroken

SHAPELESS = (AttributeError, LookupError, TypeError, ValueError, RecursionError)


@contextlib.contextmanager
def asked() -> Iterator[None]:
    """While a request is translated. Raises `Invalid`."""
    try:
        yield
    except SHAPELESS as error:
        raise Invalid("the request is not well formed: a field has the wrong type") from error


@contextlib.contextmanager
def answered(name: str) -> Iterator[None]:
    """While an answer of the vendor of that name is read. Raises `UpstreamBroken`."""
    try:
        yield
    except SHAPELESS as error:
        raise UpstreamBroken(f"{name} answered with something that makes no sense") from error

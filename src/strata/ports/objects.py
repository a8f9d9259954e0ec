"""Bytes by name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ObjectMeta:
    """An object without its bytes. `etag` changes whenever the content does."""

    name: str
    size: int
    etag: str
    modified: datetime


class Objects(Protocol):
    """Immutable-friendly blob storage.

    Names are `/`-separated paths without `.` or `..` segments or a leading slash; others raise `Invalid`. A put is all
    or nothing: a reader never sees half an object, and once `put` returns the object survives a crash of the process.
    No order is promised between concurrent puts of the same name.
    """

    async def put(self, name: str, data: bytes, *, if_absent: bool = False) -> ObjectMeta:
        """Store the bytes. With `if_absent`, raise `Conflict` when the name is taken."""
        ...

    async def get(self, name: str) -> bytes:
        """The bytes; raise `NotFound` when there are none."""
        ...

    async def head(self, name: str) -> ObjectMeta | None: ...

    async def delete(self, name: str) -> None:
        """Remove the object; removing what is not there is no error."""
        ...

    def list(self, prefix: str = "") -> AsyncIterator[ObjectMeta]:
        """Every object whose name begins with the prefix, in the order of names."""
        ...

    async def presign(self, name: str, seconds: int = 300) -> str | None:
        """An address where the object can be fetched for a while, or None where the store cannot do that."""
        ...

    async def close(self) -> None: ...

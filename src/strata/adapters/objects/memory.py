"""Objects kept in this process: for tests and trials, gone when it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from strata.adapters.objects._names import checked
from strata.errors import Conflict, NotFound
from strata.ports.objects import ObjectMeta
from strata.types import digest, now


@dataclass(frozen=True, slots=True)
class MemoryObjects:
    """A dictionary of names."""

    kept: dict[str, tuple[ObjectMeta, bytes]] = field(default_factory=dict)

    async def put(self, name: str, data: bytes, *, if_absent: bool = False) -> ObjectMeta:
        if checked(name) in self.kept and if_absent:
            raise Conflict(f"there is an object called {name!r} already")
        meta = ObjectMeta(name, len(data), digest(data), now())
        self.kept[name] = (meta, bytes(data))
        return meta

    async def get(self, name: str) -> bytes:
        if checked(name) not in self.kept:
            raise NotFound(f"no object called {name!r}")
        return self.kept[name][1]

    async def head(self, name: str) -> ObjectMeta | None:
        found = self.kept.get(checked(name))
        return found[0] if found else None

    async def delete(self, name: str) -> None:
        self.kept.pop(checked(name), None)

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectMeta]:
        for name in sorted(name for name in self.kept if name.startswith(prefix)):
            if name in self.kept:
                yield self.kept[name][0]

    async def presign(self, name: str, seconds: int = 300) -> str | None:
        checked(name)
        return None

    async def close(self) -> None:
        """Nothing is held open."""


async def make(address: str = "", *, home: Path | None = None) -> MemoryObjects:
    """A new, empty store; the address is not used."""
    return MemoryObjects()

"""Objects as files below a folder, each under its own name, synced to the disk before `put` returns.

A put is written beside its place and moved there in one step, so a reader never sees half of it and a crash leaves
nothing but a file in `incoming`, which is swept up later. On a disk a name cannot be a folder as well: with an object
`a` there can be no `a/b`, and `put` says so with `Conflict`.
"""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from strata.adapters.objects._names import checked
from strata.errors import Conflict, NotFound, StrataError, Unavailable
from strata.ports.objects import ObjectMeta

T = TypeVar("T")

ABANDONED = 3600.0
ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class FolderObjects:
    """Objects live in `kept`, puts under way in `incoming`; both are on one volume."""

    kept: Path
    incoming: Path

    async def put(self, name: str, data: bytes, *, if_absent: bool = False) -> ObjectMeta:
        return await _aside(lambda: self._put(checked(name), data, if_absent))

    async def get(self, name: str) -> bytes:
        return await _aside(lambda: self._get(checked(name)))

    async def head(self, name: str) -> ObjectMeta | None:
        return await _aside(lambda: self._head(checked(name)))

    async def delete(self, name: str) -> None:
        await _aside(lambda: self._delete(checked(name)))

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectMeta]:
        for name in await _aside(lambda: sorted(self._names(prefix))):
            meta = await _aside(lambda name=name: self._head(name))  # type: ignore[misc]
            if meta is not None:
                yield meta

    async def presign(self, name: str, seconds: int = 300) -> str | None:
        checked(name)
        return None

    async def close(self) -> None:
        """Nothing is held open."""

    def _put(self, name: str, data: bytes, if_absent: bool) -> ObjectMeta:
        place, fresh = self.kept / name, self.incoming / secrets.token_hex(16)
        try:
            with fresh.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                found = os.fstat(file.fileno())
            self._move(fresh, place, if_absent)
        except FileExistsError:
            raise Conflict(f"there is an object called {name!r} already") from None
        except (IsADirectoryError, NotADirectoryError):
            raise Conflict(f"{name!r} cannot be stored: in this folder another object has it as a folder") from None
        finally:
            fresh.unlink(missing_ok=True)
        return _meta(name, found)

    def _move(self, fresh: Path, place: Path, if_absent: bool) -> None:
        for attempt in range(ATTEMPTS):
            try:
                _make(place.parent)
                if if_absent:
                    os.link(fresh, place)
                else:
                    fresh.replace(place)
                _sync(place.parent)
                return
            except FileNotFoundError:  # a delete has just removed the folder, empty as it was
                if attempt == ATTEMPTS - 1:
                    raise

    def _get(self, name: str) -> bytes:
        try:
            return (self.kept / name).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise NotFound(f"no object called {name!r}") from None

    def _head(self, name: str) -> ObjectMeta | None:
        place = self.kept / name
        try:
            return _meta(name, place.stat()) if place.is_file() else None
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _delete(self, name: str) -> None:
        place = self.kept / name
        try:
            place.unlink()
            _sync(place.parent)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError):
            if place.is_file():
                raise
            return
        for folder in place.parents:
            if folder == self.kept:
                return
            try:
                folder.rmdir()
            except OSError:
                return

    def _names(self, prefix: str) -> Iterator[str]:
        top = os.path.join(self.kept, prefix.rpartition("/")[0])  # noqa: PTH118 - a leading slash must not escape
        if os.path.commonpath([self.kept, os.path.normpath(top)]) != str(self.kept):
            return
        for folder, _, files in os.walk(top):
            for file in files:
                name = os.path.relpath(os.path.join(folder, file), self.kept)  # noqa: PTH118
                if name.startswith(prefix):
                    yield name


def _meta(name: str, found: os.stat_result) -> ObjectMeta:
    etag = f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"
    return ObjectMeta(name, found.st_size, etag, datetime.fromtimestamp(found.st_mtime, UTC))


def _make(folder: Path) -> None:
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def _sync(folder: Path) -> None:
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


async def _aside(work: Callable[[], T]) -> T:
    """Run in a thread; what the disk refuses becomes `Unavailable`."""
    try:
        return await asyncio.to_thread(work)
    except StrataError:
        raise
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise Unavailable("the disk is full: the object was not stored; make room on its volume") from error
        raise Unavailable(f"the folder of objects failed: {error.strerror}: {error.filename}") from error


def _opened(root: Path) -> FolderObjects:
    objects = FolderObjects(root / "objects", root / "incoming")
    for folder in (objects.kept, objects.incoming):
        _make(folder)
    for left in objects.incoming.iterdir():
        if time.time() - left.stat().st_mtime > ABANDONED:
            left.unlink(missing_ok=True)
    return objects


async def make(address: str = "objects", *, home: Path) -> FolderObjects:
    """The objects in the folder `address` below `home`."""
    return await _aside(lambda: _opened((home / address).resolve()))

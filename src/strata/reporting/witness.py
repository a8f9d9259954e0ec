"""The witness: a file of signed checkpoints, one JSON object a line, that is only ever appended to.

It proves something when whoever can write the audit record cannot write it: put it on another volume or account.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from strata.errors import Unavailable
from strata.reporting.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class Witness:
    path: Path

    async def add(self, checkpoint: Checkpoint) -> None:
        """When it returns, the checkpoint survives a power cut. Raises `Unavailable` when it cannot be written."""
        try:
            await asyncio.to_thread(_append, self.path, checkpoint.line)
        except OSError as error:
            raise Unavailable(f"the witness file {self.path.name} cannot be written: {error.strerror}") from error

    async def lines(self) -> list[bytes]:
        """The lines of the file, without one whose writing was cut short (it was never acknowledged)."""
        try:
            return await asyncio.to_thread(_finished, self.path)
        except OSError as error:
            raise Unavailable(f"the witness file {self.path.name} cannot be read: {error.strerror}") from error


def split(data: bytes) -> list[bytes]:
    """The finished lines in a witness file's bytes."""
    return [line for line in data[: data.rfind(b"\n") + 1].split(b"\n") if line.strip()]


def _finished(path: Path) -> list[bytes]:
    return split(path.read_bytes()) if path.exists() else []


def _append(path: Path, line: bytes) -> None:
    is_new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        _drop_torn_line(file)
        if os.write(file, line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file)
    finally:
        os.close(file)
    if is_new:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _drop_torn_line(file: int) -> None:
    size = os.fstat(file).st_size
    if size == 0 or os.pread(file, 1, size - 1) == b"\n":
        return
    tail = os.pread(file, 4096, max(0, size - 4096))
    os.ftruncate(file, size - len(tail) + tail.rfind(b"\n") + 1)

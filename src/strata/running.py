"""Which roles run on this installation's home folder, and where they can be reached.

A process that plays a role holds a lock file in `home/run`. The lock keeps two processes from writing the same stores;
its content tells the command line where to knock instead of opening the stores itself. The system drops the lock with
the process, so kill -9 leaves nothing to clean up.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from strata.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Claim:
    """Roles held by this process until `release`."""

    files: tuple[int, ...]

    def release(self) -> None:
        for descriptor in self.files:
            os.ftruncate(descriptor, 0)
            os.close(descriptor)


def claim(home: Path, roles: Iterable[str], url: str) -> Claim:
    """Hold these roles for this process; raises `Unavailable` naming the process that already plays one."""
    folder = home / "run"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    held: list[int] = []
    for role in roles:
        descriptor = os.open(folder / f"{role}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            where = os.read(descriptor, 4096).decode(errors="replace").strip() or "another process"
            os.close(descriptor)
            Claim(tuple(held)).release()
            raise Unavailable(f"{role} is already running on {home} ({where}); stop it first") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{url} {os.getpid()}".encode(), 0)
        held.append(descriptor)
    return Claim(tuple(held))


def where(home: Path, role: str) -> str | None:
    """The address of the process that plays the role on this home, or None when none does."""
    return _holder(home, role)[0]


def who(home: Path, role: str) -> int | None:
    """The number of the process that plays the role on this home, or None when none does."""
    return _holder(home, role)[1]


def _holder(home: Path, role: str) -> tuple[str | None, int | None]:
    place = home / "run" / f"{role}.lock"
    if not place.is_file():
        return None, None
    descriptor = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        url, _, number = os.read(descriptor, 4096).decode(errors="replace").strip().partition(" ")
        return url or None, int(number) if number.isdigit() else None
    finally:
        os.close(descriptor)
    return None, None

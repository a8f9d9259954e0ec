"""Which process holds a reservation, and whether it still lives.

On the host where it ran, a process is known by its number and the moment it started, so its death is seen at once.
From elsewhere it is known by its lease: a record that it renews, and that runs out when it does not.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from strata.types import new_id


@dataclass(frozen=True, slots=True)
class Lease:
    """One process's hold on its reservations. `host` names the machine, its boot and its space of process numbers."""

    id: str
    host: str
    pid: int
    started: str

    @property
    def name(self) -> str:
        return "|".join((self.id, self.host, str(self.pid), self.started))


def mine() -> Lease:
    """A new lease of this process."""
    return Lease(new_id("lease"), _host(), os.getpid(), _started(os.getpid()))


def parse(name: str) -> Lease:
    id_, host, pid, started = name.split("|")
    return Lease(id_, host, int(pid), started)


def surely_dead(name: str) -> bool:
    """Whether the lease belongs to a process of this host that is gone. False where that cannot be seen."""
    lease = parse(name)
    if not lease.started or lease.host != _host():
        return False
    return _started(lease.pid) != lease.started


def _host() -> str:
    boot = _read("/proc/sys/kernel/random/boot_id")
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return f"{os.uname().nodename}/{boot}/{space}"


def _started(pid: int) -> str:
    """The moment a process started, in clock ticks since boot; empty when there is none, or where /proc is missing."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 and fields[0] != "Z" else ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""

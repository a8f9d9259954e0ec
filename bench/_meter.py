"""What the measurements share: a lean load client with raw sockets, and the CPU and memory of a process from /proc."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")

Check = Callable[[bytes], bool]
"""Whether the body of an answer, as it came over the wire, is what was asked for."""


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def family(pid: int) -> set[int]:
    """A process and everything below it."""
    parents: dict[int, int] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(file.parent.name)] = int(fields[1])
    kept, size = {pid}, 0
    while len(kept) > size:
        size = len(kept)
        kept |= {child for child, parent in parents.items() if parent in kept}
    return kept


def family_cpu_seconds(pid: int) -> float:
    """User and system time of a process and everything below it, what has ended included."""
    total = 0
    for member in family(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15])
    return total / TICK


def memory_mb(pid: int, kind: str = "VmRSS") -> float:
    """Resident memory of a process in MB; `VmHWM` is the most it ever had."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(kind):
            return int(line.split()[1]) / 1024
    return 0.0


@dataclass
class Load:
    """Requests sent over `clients` kept-alive connections, each one after the other; how long each took in ms.

    An answer other than 200, a stream without its end, and an answer that `check` refuses count as failed.
    """

    port: int
    request: bytes
    clients: int = 8
    check: Check | None = None
    took: list[float] = field(default_factory=list)
    failed: int = 0
    seconds: float = 0.0

    async def run(self, count: int) -> Load:
        share = [count // self.clients + (number < count % self.clients) for number in range(self.clients)]
        begun = time.perf_counter()
        await asyncio.gather(*(self._client(number) for number in share))
        self.seconds = time.perf_counter() - begun
        return self

    async def _client(self, count: int) -> None:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_connection(lambda: Client(self.check), "127.0.0.1", self.port)
        try:
            for _ in range(count):
                begun = time.perf_counter()
                ok = await protocol.ask(self.request)
                self.took.append((time.perf_counter() - begun) * 1000)
                self.failed += not ok
        finally:
            transport.close()


class Client(asyncio.Protocol):
    """Sends a request and waits for the end of its answer, by its length or its last chunk."""

    def __init__(self, check: Check | None = None) -> None:
        self.buffer = b""
        self.check = check or (lambda _body: True)
        self.done: asyncio.Future[bool]

    def connection_made(self, transport) -> None:
        self.transport = transport

    def connection_lost(self, exc) -> None:  # noqa: ARG002
        if hasattr(self, "done") and not self.done.done():
            self.done.set_result(False)

    def ask(self, request: bytes) -> asyncio.Future[bool]:
        self.buffer = b""
        self.done = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.done

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, mark, body = self.buffer.partition(b"\r\n\r\n")
        if not mark or self.done.done():
            return
        lower = head.lower()
        at = lower.find(b"content-length:")
        if at >= 0:
            length = int(lower[at + 15 :].split(b"\r\n", 1)[0])
            if len(body) >= length:
                self._end(lower, body)
        elif body.endswith(b"0\r\n\r\n"):
            self._end(lower, body)

    def _end(self, head: bytes, body: bytes) -> None:
        whole = b"[DONE]" in body or b"text/event-stream" not in head
        self.done.set_result(head.startswith(b"http/1.1 200") and whole and self.check(body))


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]

"""Worker processes that parse files: few, started when first needed, ended when one hangs, breaks or is idle."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from subprocess import DEVNULL, PIPE, Popen

import msgspec

from strata.data.parser import Unreadable
from strata.data.worker import HEAD, READY, Answer, Job
from strata.errors import Unavailable

IDLE_SECONDS = 60.0
START_SECONDS = 60.0
LONGEST_TEXT = 128 * 1024 * 1024
FILES_PER_WORKER = 500
_MB = 1024 * 1024


@dataclass(slots=True, eq=False)
class _Worker:
    """A process and its two pipes. It is started with `Popen`, which on Linux copies nothing of this process (vfork):
    a fork would run the handlers of libraries with threads of their own in the child.
    """

    process: Popen[bytes]
    send: asyncio.StreamWriter
    receive: asyncio.StreamReader
    files: int = 0
    ended: bool = False

    async def ask(self, job: Job) -> Answer:
        """Send a file and wait for its text; raises `EOFError` or `OSError` when the process died over it."""
        body = msgspec.msgpack.encode(job)
        self.send.write(len(body).to_bytes(HEAD, "big"))
        self.send.write(body)
        await self.send.drain()
        size = int.from_bytes(await self.receive.readexactly(HEAD), "big")
        if size > LONGEST_TEXT:
            raise EOFError
        self.files += 1
        return msgspec.msgpack.decode(await self.receive.readexactly(size), type=Answer)

    @property
    def fit(self) -> bool:
        """Whether it may be given another file."""
        return not self.ended and self.process.poll() is None and self.files < FILES_PER_WORKER

    def kill(self) -> None:
        self.ended = True
        self.process.kill()
        self.send.close()

    async def gone(self) -> None:
        await asyncio.to_thread(self.process.wait)


@dataclass(slots=True)
class ParserPool:
    """`size` processes at the most. One file has `memory` bytes, and of wall clock `seconds` plus `seconds_per_mb` for
    each MiB that it has.
    """

    size: int = 2
    seconds: float = 60.0
    memory: int = 2 * 1024 * 1024 * 1024
    seconds_per_mb: float = 20.0
    _idle: list[_Worker] = field(default_factory=list)
    _busy: set[_Worker] = field(default_factory=set)
    _room: asyncio.Semaphore = field(init=False)
    _reaper: asyncio.TimerHandle | None = None

    def __post_init__(self) -> None:
        self._room = asyncio.Semaphore(max(1, self.size))

    async def parse(self, data: bytes, name: str) -> Answer:
        """The file's media type and text.

        Raises `Unreadable` with the reason, also for a file over which the worker hangs, crashes or runs out of
        memory; `Unavailable` when no worker can be started.
        """
        async with self._worker() as worker:
            limit = self.seconds + self.seconds_per_mb * len(data) / _MB
            try:
                async with asyncio.timeout(limit):
                    answer = await worker.ask(Job(name, data))
            except TimeoutError:
                worker.kill()
                raise Unreadable(f"the file took longer than {round(limit, 2):g} s to read") from None
            except (EOFError, OSError, msgspec.DecodeError) as error:
                worker.kill()
                raise Unreadable("the file is broken in a way that ended its parser") from error
            except asyncio.CancelledError:
                worker.kill()
                raise
        if answer.parsed is None:
            raise Unreadable(answer.reason, media=answer.media)
        return answer

    def workers(self) -> list[int]:
        """The process ids of the workers that are running."""
        return [worker.process.pid for worker in (*self._idle, *self._busy) if worker.fit]

    async def close(self) -> None:
        """End every worker."""
        if self._reaper is not None:
            self._reaper.cancel()
        ending = [*self._idle, *self._busy]
        self._idle.clear()
        for worker in ending:
            worker.kill()
        await asyncio.gather(*(worker.gone() for worker in ending))

    @contextlib.asynccontextmanager
    async def _worker(self) -> AsyncIterator[_Worker]:
        async with self._room:
            worker = await self._take()
            self._busy.add(worker)
            try:
                yield worker
            finally:
                self._busy.discard(worker)
                if worker.fit:
                    self._idle.append(worker)
                    self._reap_later()
                else:
                    worker.kill()

    async def _take(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.fit:
                return worker
        return await _start(self.memory)

    def _reap_later(self) -> None:
        if self._reaper is not None:
            self._reaper.cancel()
        self._reaper = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._reap)

    def _reap(self) -> None:
        while self._idle:
            self._idle.pop().kill()


async def _start(memory: int) -> _Worker:
    """A worker that has said that it is ready. It sees none of this process's environment, where secrets may be."""
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PYTHONUTF8": "1"}
    command = (sys.executable, "-m", "strata.data.worker", str(memory), str(LONGEST_TEXT))
    try:
        process = await asyncio.to_thread(
            Popen, command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment, bufsize=0
        )
    except OSError as error:
        raise Unavailable(f"a process to parse files cannot be started: {error}") from error
    worker = _Worker(process, *await _pipes(process))
    try:
        async with asyncio.timeout(START_SECONDS):
            said = await worker.receive.readexactly(len(READY))
    except (TimeoutError, asyncio.IncompleteReadError) as error:
        worker.kill()
        raise Unavailable("a process to parse files does not start") from error
    if said != READY:
        worker.kill()
        raise Unavailable("a process to parse files does not start")
    return worker


async def _pipes(process: Popen[bytes]) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
    """What is written to and read from the process, on this event loop."""
    loop = asyncio.get_running_loop()
    receive = asyncio.StreamReader(limit=4 * 1024 * 1024)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(receive), process.stdout)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, process.stdin)
    return asyncio.StreamWriter(transport, protocol, None, loop), receive

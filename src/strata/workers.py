"""Several processes behind one port: each plays the gateway, and one more looks after them.

Every worker listens on a socket of its own, and the kernel shares the connections out among them (SO_REUSEPORT). The
sockets belong to the process that looks after the workers, so the connections that wait for a worker which has died are
taken by its replacement. What the workers share, they share through their records: keys, budgets, reservations; and
of each subscriber to events one worker takes care. SIGTERM lets all of them finish what they are doing. When the process
that looks after them is killed, they end too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import selectors
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import uvloop

from strata import plugins
from strata.errors import Misconfigured, StrataError, Unavailable
from strata.reload import must_fit
from strata.running import claim
from strata.schema import Role
from strata.serve import address, listen, play
from strata.settings import Settings, load
from strata.wiring import Platform, figures

log = logging.getLogger(__name__)

GRACE = 30.0
"""Seconds that workers have to finish, before they are killed."""

SETTLED = 10.0
"""Seconds after which a worker that dies is replaced at once; one that dies sooner waits, longer each time."""

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
FAILED = 1


def run(
    settings: Settings, roles: Sequence[Role], workers: int, ready: Callable[[str], None], *, port: int | None = None
) -> None:
    """Serve with so many processes until SIGINT or SIGTERM; `ready` is called once all of them answer requests.

    Raises `Misconfigured` for what cannot be shared out, and what the first worker raised if none could start.
    """
    _must_be_shareable(settings, roles)
    url = address(settings, roles) if port is None else f"http://{settings.host}:{port}"
    number = urlsplit(url).port or 80
    held = claim(settings.home, roles, url)
    shutil.rmtree(figures(settings), ignore_errors=True)
    try:
        listen(settings.host, number).close()  # a stranger's socket there would take a share of the connections
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(listen(settings.host, number, shared=True)) for _ in range(workers)]
            _Crew(settings, tuple(roles), [_Place(one) for one in sockets]).work(lambda: ready(url))
    finally:
        held.release()


def _must_be_shareable(settings: Settings, roles: Sequence[Role]) -> None:
    if tuple(roles) != ("gateway",):
        raise Misconfigured(f"only the gateway can have several workers, not {', '.join(roles)}: serve it by itself")
    if plugins.split(settings.stores.records)[0] == "memory":
        raise Misconfigured(
            "stores.records: workers share their records, which memory: cannot; sqlite: and postgres: can"
        )


@dataclass(slots=True)
class _Place:
    """One worker's place: its socket, the process that has it now, and the pipe over which that tells how it fares."""

    socket: socket.socket
    pid: int = 0
    pipe: int = -1
    told: bytes = b""
    since: float = 0.0
    pause: float = 0.0
    due: float = 0.0


@dataclass(slots=True)
class _Crew:
    """The workers, in this process's eyes. It runs no event loop and no thread, so that it can fork at any time."""

    settings: Settings
    roles: tuple[Role, ...]
    places: list[_Place]
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    lifeline: tuple[int, int] = (-1, -1)
    signals: int = 0
    begun: bool = False
    failure: StrataError | None = None

    def work(self, ready: Callable[[], None]) -> None:
        self.lifeline = os.pipe()
        with self._signals_heard():
            while not self.signals and self.failure is None:
                self._staff()
                self._hear(self._next_due())
                self._bury()
                if not self.begun and all(place.told == b"." for place in self.places):
                    self.begun = True
                    ready()
            self._end()
        for end in self.lifeline:
            os.close(end)
        if self.failure is not None:
            raise self.failure

    # -------------------------------------------------------------- looking after them

    def _staff(self) -> None:
        """Give every place that is empty, and whose pause is over, a worker."""
        for place in self.places:
            if not place.pid and time.monotonic() >= place.due:
                self._hire(place)

    def _hire(self, place: _Place) -> None:
        hear, tell = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(hear)
            os.close(self.lifeline[1])
            _work(self.settings, self.roles, place.socket, tell, self.lifeline[0])
        os.close(tell)
        os.set_blocking(hear, False)
        self.selector.register(hear, selectors.EVENT_READ, place)
        place.pid, place.pipe, place.told, place.since = pid, hear, b"", time.monotonic()

    def _next_due(self) -> float:
        waiting = [place.due for place in self.places if not place.pid]
        return max(min(waiting) - time.monotonic(), 0.0) if waiting else 60.0

    def _hear(self, seconds: float) -> None:
        """Wait for a signal, or for what a worker has to tell: a dot when it answers requests, else why it cannot."""
        for key, _ in self.selector.select(seconds):
            with contextlib.suppress(BlockingIOError):
                data = os.read(key.fd, 65536)
                place = key.data
                if place is None:
                    self.signals += sum(number in {signal.SIGINT, signal.SIGTERM} for number in data)
                    if signal.SIGHUP in data:
                        self._reload()
                elif data:
                    place.told += data
                else:
                    self.selector.unregister(key.fd)

    def _bury(self) -> None:
        """Take leave of the workers that have ended."""
        for place in self.places:
            if place.pid and os.waitpid(place.pid, os.WNOHANG)[0]:
                self._left(place)

    def _left(self, place: _Place) -> None:
        with contextlib.suppress(KeyError):
            self.selector.unregister(place.pipe)
        with contextlib.suppress(BlockingIOError):
            place.told += os.read(place.pipe, 65536)
        os.close(place.pipe)
        place.pid, place.pipe = 0, -1
        if self.signals:
            return
        why = place.told.removeprefix(b".").decode(errors="replace")
        place.told = b""
        if why and not self.begun:
            self.failure = self.failure or _error(why)
            return
        settled = time.monotonic() - place.since >= SETTLED
        place.pause = 0.0 if settled else min(max(place.pause * 2, FIRST_PAUSE), LONGEST_PAUSE)
        place.due = time.monotonic() + place.pause
        log.warning("a worker has ended%s; another takes its place in %.1f s", f" ({why})" if why else "", place.pause)

    def _end(self) -> None:
        """Let the workers finish; the second signal is passed on too, and who is not done in time is killed."""
        heard, self.signals = 0, max(self.signals, 1)
        until = time.monotonic() + GRACE
        while any(place.pid for place in self.places):
            if heard < self.signals:
                heard = self.signals
                self._signal(signal.SIGTERM)
            self._hear(max(min(until - time.monotonic(), 1.0), 0.05))
            self._bury()
            if time.monotonic() > until:
                self._signal(signal.SIGKILL)

    def _reload(self) -> None:
        """Let the workers take new settings, and those that are hired later too."""
        try:
            fresh = load(self.settings.source)
            must_fit(self.settings, fresh)
        except StrataError as error:
            log.error("the new settings do not hold, so nothing has changed: %s", error)  # noqa: TRY400 - told by the file
            return
        self.settings = fresh
        self._signal(signal.SIGHUP)

    def _signal(self, number: int) -> None:
        for place in self.places:
            if place.pid:
                os.kill(place.pid, number)

    @contextlib.contextmanager
    def _signals_heard(self) -> Iterator[None]:
        """Signals become bytes in a pipe that the selector watches; what they did before is put back afterwards."""
        hear, tell = os.pipe()
        for end in (hear, tell):
            os.set_blocking(end, False)
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP)
        before = [signal.signal(number, lambda *_: None) for number in numbers]
        woken = signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
        self.selector.register(hear, selectors.EVENT_READ, None)
        try:
            yield
        finally:
            signal.set_wakeup_fd(woken)
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)
            self.selector.close()
            os.close(hear)
            os.close(tell)


# ------------------------------------------------------------------ a worker


def _work(settings: Settings, roles: Sequence[Role], listener: socket.socket, tell: int, lifeline: int) -> None:
    """The life of a worker, in the process that was forked for it; does not return."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until it can take new settings, it has them
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; who looks after us passes it on
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)

    async def ready(_: Platform) -> None:
        os.write(tell, b".")

    def until(stop: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, stop)

        def alone() -> None:
            loop.remove_reader(lifeline)
            stop()

        loop.add_reader(lifeline, alone)  # nobody writes to it: it ends with the process that looks after us

    code = 0
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(play(settings, roles, listener, ready, until))
    except StrataError as error:
        code = FAILED
        _try_to_tell(tell, f"{error.slug}\n{error}")
    except BaseException as error:
        code = FAILED
        log.exception("a worker cannot go on")
        _try_to_tell(tell, f"internal\n{type(error).__name__}: {error}")
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)  # what the parent was about to do is not ours to do


def _try_to_tell(tell: int, text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(tell, text.encode(errors="replace")[:60_000])


def _error(told: str) -> StrataError:
    """What a worker raised, once more here."""
    slug, _, text = told.partition("\n")
    if slug == Misconfigured.slug:
        return Misconfigured(text.splitlines())
    return Unavailable(text) if slug == Unavailable.slug else StrataError(text)

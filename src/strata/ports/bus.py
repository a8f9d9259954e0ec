"""Facts from those who commit them to those who listen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from strata.events import Event

Handler = Callable[[Sequence[Event]], Awaitable[None]]


class Bus(Protocol):
    """Delivers events that were committed with `Records.commit(events=…)` to every subscriber, at least once.

    Within a partition a subscriber sees events in the order of their commits; a later event waits until the handler
    has returned for the earlier. A handler that raises is tried again with growing pauses; its other partitions go on.
    What was not handled survives kill -9 and is delivered after the next start. A subscriber that is new begins with
    the events committed after its first subscription. No order is promised between partitions.
    """

    def subscribe(self, name: str, kinds: Sequence[type[Event]], handler: Handler, *, batch: int = 100) -> None:
        """Call before `start`. `name` is durable: it is how progress is remembered. The handler gets 1 to `batch`
        events of one partition, in order; it has handled all of them when it returns and none when it raises.
        """
        ...

    async def start(self) -> None:
        """Begin to deliver, in the background of this event loop."""
        ...

    async def drain(self, timeout: float = 30.0) -> None:
        """Wait until everything committed before this call has been handled; raise `Deadline` otherwise."""
        ...

    async def backlog(self) -> dict[str, int]:
        """How many events wait, by subscriber."""
        ...

    async def close(self) -> None:
        """Stop delivering; what is under way is finished or delivered again later."""
        ...

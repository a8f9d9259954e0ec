"""Takes new settings into a gateway that runs: read whole, tried, and only then in force; otherwise nothing changes.

SIGHUP asks for it, and `strata reload` sends that. Models, routes, budgets, limits, guardrails, prices, secrets and policies
of the gateway change at once; whatever else is in the file takes a restart, and a change of where things are kept is
refused.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from strata.access import Access
from strata.errors import Misconfigured, StrataError
from strata.settings import Settings, load
from strata.wiring import Platform

log = logging.getLogger(__name__)

FIXED = ("tenant", "home", "stores", "remote")


@dataclass(slots=True)
class Reload:
    """The settings of a process that plays the gateway, as they are in force; one change at a time."""

    platform: Platform
    settings: Settings

    async def __call__(self) -> None:
        """Read the settings again and take them. Raises what is wrong with them."""
        fresh = await asyncio.to_thread(load, self.settings.source)
        must_fit(self.settings, fresh)
        await self.platform.layers["gateway"].change(fresh.gateway, Access.of(fresh.policies))
        self.settings = fresh
        self.platform.version = fresh.version

    async def attempt(self) -> None:
        """As above; what is wrong is written to the log."""
        try:
            await self()
            log.warning("the gateway has taken new settings, version %s", self.settings.version)
        except StrataError as error:
            log.error("the new settings do not hold, so nothing has changed: %s", error)  # noqa: TRY400 - a mistake of the file
        except Exception:
            log.exception("the new settings could not be taken, so nothing has changed")


def must_fit(now: Settings, fresh: Settings) -> None:
    """Raise `Misconfigured` where the new settings would move what this process holds."""
    moved = [name for name in FIXED if getattr(now, name) != getattr(fresh, name)]
    if moved:
        raise Misconfigured([f"{name} cannot change while it runs; restart for that" for name in moved])

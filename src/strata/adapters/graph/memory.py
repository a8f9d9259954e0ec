"""Statements in an Oxigraph store kept in this process: for tests and trials, gone when it ends."""

from __future__ import annotations

from pathlib import Path

import pyoxigraph as ox

from strata.adapters.graph.oxigraph import OxigraphGraph


async def make(address: str = "", *, home: Path | None = None, seconds: float = 10.0) -> OxigraphGraph:
    """A new, empty store; the address is not used. A question may take `seconds`."""
    return OxigraphGraph(ox.Store(), None, seconds)

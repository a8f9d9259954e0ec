"""Tells where an unexpected error came from without what it says: its words may be a caller's or a model's."""

from __future__ import annotations

import traceback


def where(error: BaseException) -> str:
    """The kinds of an error and of its causes, and the lines of code that they came through."""
    told: list[str] = []
    seen: set[int] = set()
    it: BaseException | None = error
    while it is not None and id(it) not in seen:
        seen.add(id(it))
        steps = [f"{step.filename}:{step.lineno} in {step.name}" for step in traceback.extract_tb(it.__traceback__)]
        told.append("\n  ".join([type(it).__name__, *steps]))
        it = it.__cause__ or it.__context__
    return "\nfrom ".join(told)

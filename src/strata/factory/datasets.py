"""Sets of questions: JSON Lines in, cases out, with every mistake told at once."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from strata.errors import Invalid
from strata.types import EvalCase

FIELDS = frozenset(EvalCase.__dataclass_fields__)


def load(data: bytes) -> tuple[EvalCase, ...]:
    """The cases of a file with one JSON object a line, its fields named as in `EvalCase`. Empty lines do not count.

    Raises `Invalid` with every mistake and its line (`mistakes` in the problem).
    """
    cases: list[EvalCase] = []
    wrong: list[str] = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        if line.strip():
            try:
                cases.append(_case(line))
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                wrong.append(f"line {number}: {error}")
    wrong.extend(mistakes(cases))
    if not cases and not wrong:
        wrong.append("there are no questions in it")
    if wrong:
        raise Invalid("the set of questions cannot be used: " + "; ".join(wrong), mistakes=wrong)
    return tuple(cases)


def mistakes(cases: list[EvalCase] | tuple[EvalCase, ...]) -> Iterator[str]:
    """What is wrong with cases that are well formed."""
    seen: set[str] = set()
    for case in cases:
        name = f"case {case.id!r}"
        if case.id in seen:
            yield f"{name} is there twice"
        seen.add(case.id)
        missing = [field for field in ("id", "person", "assistant", "question") if not getattr(case, field).strip()]
        if missing:
            yield f"{name} needs {', '.join(missing)}"
        if case.kind == "follow_up" and not case.after.strip():
            yield f"{name} follows up nothing: it needs the question before it in `after`"
        if case.kind in {"answerable", "follow_up"} and not (case.answer and case.documents):
            yield f"{name} needs the `answer` and the `documents` that a right answer must hold"
        if case.kind == "forbidden" and not (case.answer or case.documents):
            yield f"{name} needs the `answer` or the `documents` that must not get out"
        if case.kind == "unanswerable" and (case.answer or case.documents):
            yield f"{name} is unanswerable, so it cannot have an `answer` or `documents`"
        if not all(phrase.strip() for phrase in (*case.answer, *case.documents)):
            yield f"{name} has an empty phrase or document"


def _case(line: bytes) -> EvalCase:
    raw = msgspec.json.decode(line)
    if not isinstance(raw, dict):
        raise ValueError("it is not an object")  # noqa: TRY004 - a mistake in data, told like the others
    unknown = sorted(raw.keys() - FIELDS)
    if unknown:
        raise ValueError(
            f"there is no field {', '.join(unknown)}; there are {', '.join(EvalCase.__dataclass_fields__)}"
        )
    return msgspec.convert(raw, EvalCase)

"""How a value is declared that is made many times for every call.

Python guards the fields of a frozen dataclass each time that one is made, which takes ten times as long as making it: for
a model call, which makes some twenty values, a tenth of everything. Here the guard is mypy's: a value that is declared so
is frozen to the type checker, compares and hashes by its content, and is plain at run time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[_T]) -> type[_T]:
    """`@dataclass(frozen=True, slots=True)`, without the guard at run time."""
    return dataclass(slots=True, unsafe_hash=True)(cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def named_value(cls: type[_T]) -> type[_T]:
    """The same, whose fields are given by name only."""
    return dataclass(slots=True, unsafe_hash=True, kw_only=True)(cls)

"""What a commit does to records, worked out before anything is written: pure, the same for every store.

A store reads the cells that a commit touches, asks `applied` for the cells that shall stand afterwards, and writes them.
A commit that fails does so here, with nothing written yet, so it cannot spoil the others of its group.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from strata.errors import Conflict, Invalid
from strata.events import Event, encode
from strata.ports.records import MAX_BYTES, MAX_CHANGES, Add, Change, Check, LimitReached, Put
from strata.types import Json
from strata.values import value

Place = tuple[str, str]
MAX_NUMBER = 2**63 - 1

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(dict)


class Cell:
    """What stands at a place: its version (0: nothing) and its value, as JSON or as numbers that somebody adds to.

    Each form is made from the other where it is asked for, so that what many commits of a group add to is read once
    and written once.
    """

    __slots__ = ("_data", "_value", "most", "version")

    def __init__(self, version: int, data: bytes | None = None, value: Json | None = None, most: int = 0) -> None:
        self.version = version
        self._data = data
        self._value = value
        self.most = most if data is None else len(data)
        """Bytes that the JSON cannot exceed."""

    @property
    def data(self) -> bytes:
        if self._data is None:
            self._data = _encoder.encode(self._value)
        return self._data

    @property
    def value(self) -> Json:
        """Not to be changed by who reads it."""
        if self._value is None:
            self._value = decoded(self._data) if self._data else {}
        return self._value


NOTHING = Cell(0, b"", {})


@value
class Commit:
    """A commit that is well formed: the values of its puts as JSON, in the order of its changes, and its events.
    `durable`: whether it must survive a power cut.
    """

    changes: tuple[Change, ...]
    values: tuple[bytes, ...]
    events: tuple[tuple[str, str, bytes], ...]
    durable: bool = True


def decoded(data: bytes) -> Json:
    value: Json = _decoder.decode(data)
    return value


def prepared(changes: tuple[Change, ...], events: Sequence[Event], *, durable: bool = True) -> Commit:
    """The commit, ready to be applied: events as (partition, kind, JSON). Raises `Invalid` beyond the limits."""
    if len(changes) + len(events) > MAX_CHANGES:
        raise Invalid(
            f"a commit has at most {MAX_CHANGES} changes and events; this has {len(changes)} and {len(events)}"
        )
    values = tuple([_value(change) if type(change) is Put else b"" for change in changes])
    for change in changes:
        if not change.partition or not change.key:
            raise Invalid("a record needs a partition and a key")
        if not (change.partition.isascii() and change.key.isascii()):
            _must_be_unicode(change.partition, change.key)
    told = tuple([(event.partition, event.kind, encode(event)) for event in events])
    return Commit(changes, values, told, durable)


def _must_be_unicode(*names: str) -> None:
    try:
        for name in names:
            name.encode()
    except UnicodeEncodeError:
        raise Invalid(f"the name of a record must be valid Unicode: {names!r}") from None


def _value(change: Put) -> bytes:
    try:
        data = _encoder.encode(change.value)
    except (TypeError, ValueError, OverflowError) as error:
        raise Invalid(f"the value of {change.partition}/{change.key} cannot be kept as JSON: {error}") from error
    if len(data) > MAX_BYTES:
        raise Invalid(f"{change.partition}/{change.key} has {len(data)} bytes as JSON; at most {MAX_BYTES} are kept")
    if data[:1] != b"{":
        raise Invalid(f"the value of {change.partition}/{change.key} must be an object with named fields")
    return data


def applied(commit: Commit, standing: Callable[[Place], Cell]) -> dict[Place, Cell]:
    """The cells that the commit leaves behind, later changes seeing the earlier ones. Raises `Conflict`,
    `LimitReached` or `Invalid`; then nothing of it counts.
    """
    fresh: dict[Place, Cell] = {}
    for change, data in zip(commit.changes, commit.values, strict=True):
        place = (change.partition, change.key)
        own = fresh.get(place)
        if type(change) is Add:
            fresh[place] = _added(change, own or standing(place))
            continue
        cell = own or standing(place)
        if change.version is not None and change.version != cell.version:  # type: ignore[union-attr]
            raise Conflict(_clash(place, change.version, cell.version))  # type: ignore[union-attr]
        if type(change) is Put:
            fresh[place] = Cell(cell.version + 1, data)
        elif type(change) is not Check:
            fresh[place] = NOTHING
    return fresh


def _added(add: Add, cell: Cell) -> Cell:
    value = cell.value
    before = value.get(add.field, 0)
    if type(before) is not int:
        raise Invalid(f"{add.partition}/{add.key}.{add.field} is no whole number")
    total = before + add.amount
    if (
        (add.ceiling is not None and total > add.ceiling)
        or (add.floor is not None and total < add.floor)
        or not -MAX_NUMBER <= total <= MAX_NUMBER
    ):
        raise LimitReached(add, before)
    left = Cell(cell.version + 1, None, {**value, add.field: total}, cell.most + len(add.field) * 6 + 32)
    if left.most > MAX_BYTES and len(left.data) > MAX_BYTES:
        raise Invalid(
            f"{add.partition}/{add.key} would have {len(left.data)} bytes as JSON; at most {MAX_BYTES} are kept"
        )
    return left


def _clash(place: Place, wanted: int, found: int) -> str:
    name = "/".join(place)
    if wanted == 0:
        return f"{name} exists already, at version {found}; read it and decide anew"
    if found == 0:
        return f"{name} does not exist, version {wanted} was expected; read again and decide anew"
    return f"{name} is at version {found}, not {wanted}; read it and decide anew"

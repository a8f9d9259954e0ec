"""What the gateway has to know of a request's JSON: where its texts and limits stand, what an answer says and used.

One module in `dialects/` for each operation offers these functions; a module is a dialect. The gateway itself never
looks into a request or an answer.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any, Protocol

from strata.gateway.guardrail import Place, Text
from strata.types import Json, Usage


class Dialect(Protocol):
    """`piece` is one event of a streamed answer, `answer` a whole one."""

    KINDS: tuple[str, ...]
    """The kinds of model that this is asked of."""

    FREE: bool
    """Whether no vendor charges for it."""

    REPEATS: bool
    """Whether a stream says some texts again as a whole."""

    def check(self, body: Json) -> None:
        """Raise `Invalid` unless the request asks something."""
        ...

    def bound(self, body: Json, default: int) -> int:
        """The most tokens that the answer may have. Where the caller set no limit, `default` is put in."""
        ...

    def usage(self, answer: Json, so_far: Usage | None = None) -> Usage | None:
        """What a whole answer, or a stream up to this piece, says was used; None where this says nothing new."""
        ...

    def said(self, answer: Json) -> Iterator[str]:
        """Every text that a whole answer or a piece says, thoughts and arguments included: what a vendor charges."""
        ...

    def whole(self, answer: Json) -> bool:
        """Whether this can be an answer at all."""
        ...

    def shown(self, piece: Json, model: str) -> bool:
        """Make a piece or a whole answer ready for the caller, under our own model name; False to keep it back."""
        ...

    def closing(self, kept: list[Json], last: Json, usage: Usage, cost: Json) -> list[Json]:
        """The pieces that end a stream, made of those `kept` back: they tell the usage and what it cost."""
        ...

    def request_texts(self, body: Json) -> list[Text]: ...

    def answer_texts(self, answer: Json) -> list[Text]: ...

    def piece_texts(self, piece: Json) -> list[Text]: ...

    def whole_texts(self, piece: Json) -> list[Text]:
        """Texts that a piece says as a whole: again, where their channel has been said in pieces, or at once."""
        ...

    def ended(self, piece: Json) -> list[str]:
        """The prefixes of the channels that this piece ends."""
        ...

    def tail(self, piece: Json, channel: str, text: str) -> Json:
        """A piece like this one that says only the text, in its channel."""
        ...


def count(value: object) -> int:
    """A number of tokens out of a vendor's usage; 0 for what cannot be one."""
    return value if isinstance(value, int) and value > 0 else 0


def leaves(place: Place, channel: str, value: Any, names: Container[str] | None = None) -> list[Text]:
    """Every text inside a value, however deep; with `names`, only those under one of these."""
    texts: list[Text] = []
    _leaves(place, channel, value, names, texts)
    return texts


def _leaves(place: Place, channel: str, value: Any, names: Container[str] | None, texts: list[Text]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(inner, str):
                _leaves(place, f"{channel}.{key}", inner, names, texts)
            elif inner and (names is None or key in names):
                texts.append(Text(place, f"{channel}.{key}", value, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            if not isinstance(inner, str):
                _leaves(place, f"{channel}.{number}", inner, names, texts)
            elif inner and names is None:
                texts.append(Text(place, f"{channel}.{number}", value, number))

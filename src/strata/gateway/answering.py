"""What a call came to, for the one who asked."""

from __future__ import annotations

from strata.gateway.caller import Ask
from strata.gateway.dialects import DIALECTS
from strata.gateway.money.spend import Bill
from strata.types import Json, Usage
from strata.values import value


@value
class Answered:
    """A whole answer in the JSON of its operation, and what it cost. `reused`: it was kept (hit) or shared."""

    request: str
    body: Json
    bill: Bill
    currency: str
    reused: str = ""


@value
class Ended:
    """The end of a stream: what it came to. `kept` are the vendor's pieces that are told only now, `last` the last one
    that it sent, `usage` what the answer took when it was made.
    """

    ask: Ask
    bill: Bill
    currency: str
    kept: list[Json]
    last: Json
    usage: Usage
    reused: str = ""

    @property
    def closing(self) -> list[Json]:
        """The pieces that tell the end in its dialect, with the cost inside."""
        cost = {"cost_micros": self.bill.cost, "currency": self.currency}
        return DIALECTS[self.ask.operation].closing(self.kept, self.last, self.usage, cost)

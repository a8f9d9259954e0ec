"""What a vendor's invoice says beside what was charged."""

from __future__ import annotations

from decimal import Decimal

import pytest

from strata.errors import Invalid
from strata.reporting.invoice import Difference, Line, differences, read

OURS = [
    Line("2026-11-01", "smart", Decimal("1.50")),
    Line("2026-11-01", "cheap", Decimal("0.10")),
    Line("2026-11-02", "smart", Decimal("2.00")),
]


def test_an_invoice_that_agrees_shows_nothing():
    invoice = read(["day,model,cost", "2026-11-01,gpt-4o,1.60", "2026-11-02,gpt-4o,1.5", "2026-11-02,mini,0.5"])
    alike = [{"gpt-4o", "big"}, {"mini", "cheap"}, {"smart", "big", "cheap"}]
    assert differences(OURS, invoice, alike) == []


def test_each_day_and_model_that_differs_is_shown_with_both_sums():
    invoice = read(["day,model,cost", "2026-11-01,smart,1.50", "2026-11-01,other,3", "2026-11-02,smart,2.004"])
    assert differences(OURS, invoice, tolerance=Decimal("0.01")) == [
        Difference("2026-11-01", "cheap", Decimal("0.10"), Decimal(0)),
        Difference("2026-11-01", "other", Decimal(0), Decimal(3)),
    ]


def test_focus_files_are_read():
    text = ["ChargePeriodStart,ResourceName,BilledCost,BillingCurrency", "2026-11-01T00:00:00Z,gpt-4o,1.25,USD"]
    assert read(text) == [Line("2026-11-01", "gpt-4o", Decimal("1.25"), "USD")]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (["a,b", "1,2"], "none of the columns day, date"),
        (["day,model,cost", "2026-11-01,m,much"], "line 2"),
        (["day,model,cost", "2026-11-01,m,1", "yesterday,m,1"], "line 3"),
        ([], "none of the columns"),
    ],
)
def test_what_is_no_invoice_is_told_where(text: list[str], why: str):
    with pytest.raises(Invalid, match=why):
        read(text)

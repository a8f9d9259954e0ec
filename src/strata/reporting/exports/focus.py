"""Charges as FOCUS 1.0, the FinOps Open Cost and Usage Specification, so that they stand beside cloud bills.

All 43 columns of https://focus.finops.org/focus-specification/v1-0/ in alphabetical order; what does not apply is
`NULL`, unit prices among it, since the cost of a call is made of several prices. Token counts are the consumed quantity; the payer's department, person and assistant are tags.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from strata.reporting.cost import Charge, amount

COLUMNS = (
    "AvailabilityZone", "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd",
    "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency", "ChargePeriodEnd",
    "ChargePeriodStart", "CommitmentDiscountCategory", "CommitmentDiscountId", "CommitmentDiscountName",
    "CommitmentDiscountStatus", "CommitmentDiscountType", "ConsumedQuantity", "ConsumedUnit", "ContractedCost",
    "ContractedUnitPrice", "EffectiveCost", "InvoiceIssuerName", "ListCost", "ListUnitPrice", "PricingCategory",
    "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "RegionId", "RegionName", "ResourceId",
    "ResourceName", "ResourceType", "ServiceCategory", "ServiceName", "SkuId", "SkuPriceId", "SubAccountId",
    "SubAccountName", "Tags",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FocusExport:
    tenant: str
    media: str = "text/csv"

    def write(self, charges: Iterable[Charge]) -> Iterator[str]:
        yield _line(COLUMNS)
        for charge in charges:
            known = self._cells(charge)
            yield _line([known.get(column, "NULL") for column in COLUMNS])

    def _cells(self, charge: Charge) -> dict[str, str]:
        day = date.fromisoformat(charge.day)
        month = day.replace(day=1)
        cost = format(amount(charge.cost_micros), "f")
        tokens = str(charge.prompt_tokens + charge.completion_tokens)
        tags = {"department": charge.department, "person": charge.person, "assistant": charge.assistant}
        return {
            "BilledCost": cost,
            "BillingAccountId": self.tenant,
            "BillingAccountName": self.tenant,
            "BillingCurrency": charge.currency,
            "BillingPeriodStart": _midnight(month),
            "BillingPeriodEnd": _midnight((month + timedelta(days=32)).replace(day=1)),
            "ChargeCategory": "Usage",
            "ChargeDescription": f"{charge.requests} {charge.operation} calls of {charge.model}",
            "ChargeFrequency": "Usage-Based",
            "ChargePeriodStart": _midnight(day),
            "ChargePeriodEnd": _midnight(day + timedelta(days=1)),
            "ConsumedQuantity": tokens,
            "ConsumedUnit": "Tokens",
            "ContractedCost": cost,
            "EffectiveCost": cost,
            "InvoiceIssuerName": charge.provider,
            "ListCost": cost,
            "PricingCategory": "Standard",
            "PricingQuantity": tokens,
            "PricingUnit": "Tokens",
            "ProviderName": charge.provider,
            "PublisherName": charge.provider,
            "ResourceId": charge.model,
            "ResourceName": charge.model,
            "ResourceType": "Model",
            "ServiceCategory": "AI and Machine Learning",
            "ServiceName": charge.operation,
            "SkuId": f"{charge.model}/{charge.operation}",
            "SkuPriceId": f"{charge.model}/{charge.operation}/{charge.currency}",
            "SubAccountId": charge.department or "NULL",
            "SubAccountName": charge.department or "NULL",
            "Tags": json.dumps({name: value for name, value in tags.items() if value}, sort_keys=True),
        }


def _midnight(day: date) -> str:
    return f"{day.isoformat()} 00:00:00"


def _line(cells: Iterable[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()


def make(tenant: str) -> FocusExport:
    return FocusExport(tenant)

"""Where data may go: whether a request with what is known about its data may be sent to a deployment.

The rules are policies (`policies/strata.cedar`, action `send`); this file gives them their facts. Regions are written
as the vendors write them (`eu-central-1`, `westeurope`, `europe-west4`) or as a country (`DE`), and become an area of
law: `eu` (EU and EEA), `adequate` (an adequacy decision of the European Commission,
https://commission.europa.eu/law/law-topic/data-protection/international-dimension-data-protection/adequacy-decisions_en),
`other`, `unknown` for a name that is not recognised, and `unstated` for none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from strata.access import Access, Resource
from strata.types import CLASSIFICATIONS, Principal

GATEWAY_ROLE = "gateway"


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a deployment is, the agreements signed with its vendor (`baa`, `dpa`, `nda`), and whether it is run by the
    organisation itself: in this process or on its own machines. An own deployment without a region is where we are.
    """

    region: str = ""
    agreements: frozenset[str] = frozenset()
    own: bool = False


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What is known about the data of a request. `region` is where the people in it live; empty: the tenant's."""

    classification: str = "internal"
    labels: frozenset[str] = frozenset()
    region: str = ""


_EU = frozenset(
    [
        "at",
        "be",
        "bg",
        "cy",
        "cz",
        "de",
        "dk",
        "ee",
        "es",
        "fi",
        "fr",
        "gr",
        "el",
        "hr",
        "hu",
        "ie",
        "it",
        "lt",
        "lu",
        "lv",
        "mt",
        "nl",
        "pl",
        "pt",
        "ro",
        "se",
        "si",
        "sk",
        "is",
        "li",
        "no",
        "eu",
        "eea",
    ]
)
_ADEQUATE = frozenset(["ad", "ar", "ca", "ch", "fo", "gb", "gg", "il", "im", "je", "jp", "kr", "nz", "uk", "uy"])
# What a vendor's region begins with; the longest that fits counts.
_PREFIXES = {
    "eu": "eu", "europe": "eu", "westeurope": "eu", "northeurope": "eu", "germany": "eu", "france": "eu",
    "sweden": "eu", "norway": "eu", "italy": "eu", "spain": "eu", "poland": "eu", "austria": "eu", "belgium": "eu",
    "denmark": "eu", "finland": "eu", "greece": "eu", "ireland": "eu", "netherlands": "eu", "eusc": "eu",
    "eu-west-2": "adequate", "eu-central-2": "adequate", "europe-west2": "adequate", "europe-west6": "adequate",
    "europe-west12": "eu", "uk": "adequate", "switzerland": "adequate", "canada": "adequate", "ca-": "adequate",
    "northamerica-northeast1": "adequate", "northamerica-northeast2": "adequate", "japan": "adequate",
    "ap-northeast-1": "adequate", "ap-northeast-2": "adequate", "ap-northeast-3": "adequate",
    "asia-northeast1": "adequate", "asia-northeast2": "adequate", "asia-northeast3": "adequate", "korea": "adequate",
    "israel": "adequate", "il-central": "adequate", "me-west1": "adequate", "newzealand": "adequate",
    "us-": "other", "eastus": "other", "westus": "other", "centralus": "other", "northcentralus": "other",
    "southcentralus": "other", "westcentralus": "other", "northamerica": "other", "southamerica": "other",
    "ap-": "other", "asia": "other", "eastasia": "other", "southeastasia": "other", "australia": "other",
    "brazil": "other", "india": "other", "centralindia": "other", "southindia": "other", "westindia": "other",
    "sa-": "other", "af-": "other", "southafrica": "other", "africa": "other", "me-": "other", "uae": "other",
    "qatar": "other", "mx-": "other", "mexico": "other", "cn-": "other", "china": "other", "il-": "adequate",
}  # fmt: skip


def area(region: str) -> str:
    """The area of law of a region, as this file's first lines say."""
    name = re.sub(r"[\s_]+", "-", region.strip().lower())
    if not name:
        return "unstated"
    if len(name) <= 3:
        return "eu" if name in _EU else "adequate" if name in _ADEQUATE else "other"
    for spelling in (name, name.replace("-", "")):
        fitting = [prefix for prefix in _PREFIXES if spelling.startswith(prefix) and _ends_well(prefix, spelling)]
        if fitting:
            return _PREFIXES[max(fitting, key=len)]
    return "unknown"


def allowed(access: Access, tenant_region: str, where: Whereabouts, data: DataFacts) -> str | None:
    """None when the data may be sent to the deployment, else the reason, in the policies' own names."""
    return _asked(access, where, DataFacts(data.classification, data.labels, data.region or tenant_region))


def strictest(*classifications: str) -> str:
    """The most sensitive of several classifications; one that is not known outranks all, and is then refused."""
    order: list[str] = list(CLASSIFICATIONS)
    return max(classifications, key=lambda it: order.index(it) if it in order else len(order), default="internal")


@lru_cache(maxsize=8192)
def _asked(access: Access, where: Whereabouts, data: DataFacts) -> str | None:
    gateway = Principal("gateway", "gateway", kind="service", roles=frozenset({GATEWAY_ROLE}))
    resource = Resource.deployment("gateway", where.region, area(where.region), where.agreements, where.own)
    context = {
        "classification": data.classification,
        "labels": sorted(data.labels),
        "area": area(data.region),
    }
    return access.objection(gateway, "send", resource, context)


def _ends_well(prefix: str, name: str) -> bool:
    """`europe-west1` does not begin `europe-west12`, and `eu` does not begin `eurasia-1`."""
    rest = name[len(prefix) :]
    if prefix in {"eu", "uk", "eusc"}:
        return not rest[:1].isalpha() or rest in {"west", "south"}
    return not (prefix[-1].isdigit() and rest[:1].isdigit())

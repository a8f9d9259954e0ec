"""Which of what was found is masked: by type, by how sure it is, and by whether the text is about somebody's health."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from strata.gateway.guards.privacy.spans import DIRECT, SAFE_HARBOR, TYPES, Span

HEALTH = re.compile(
    r"(?<!\w)(?:patient|paciente|patienti?n|diagnos|diagn[óo]stic|treatment|tratamiento|behandlung|symptom|s[íi]ntoma|disease|enfermedad|krankheit|erkrank"
    r"|clinic|cl[íi]nic|klinik|hospital|krankenhaus|surgery|cirug[íi]a|operation|biops|tumou?r|cancer|c[áa]ncer|krebs|diabet|hypertens|hipertens|medication"
    r"|medicaci|medikament|prescri|dose|dosis|mg\b|therapy|terapia|therapie|blood|sangre|blut|pain\b|dolor|schmerz|infection|infecci|hiv\b|vih\b|depress|allerg|al[ée]rgi"
    r"|pregnan|embaraz|schwanger|vaccin|vacuna|impf|mri\b|ct scan|ecg|discharge|admitted|ingres[óo]|anamnes)",
    re.IGNORECASE,
)
MEDICAL = frozenset({"MEDICAL_RECORD", "HEALTH_PLAN"})
WHOSE = (
    frozenset({"PERSON", "EMAIL", "PHONE", "ADDRESS", "NATIONAL_ID", "BIRTH_DATE", "PASSPORT", "DRIVER_LICENCE"})
    | MEDICAL
)


def about_health(texts: Iterable[str], spans: Iterable[Span]) -> bool:
    """Whether somebody who can be told apart and medical words, at least two different ones, come together."""
    types = {span.type for span in spans}
    if not types & WHOSE:
        return False
    words = {one.group().lower() for text in texts for one in HEALTH.finditer(text)}
    return bool(types & MEDICAL) or len(words) >= 2


def masked(spans: Sequence[Span], text: str, types: str | frozenset[str], threshold: float) -> list[Span]:
    """Those of a text's spans that are masked: of `types`, `all`, or by `default` what identifies directly, and with
    health data also what HIPAA's Safe Harbor removes.
    """
    if isinstance(types, str):
        types = TYPES if types == "all" else default_types(about_health([text], spans))
    return [span for span in spans if span.type in types and span.score >= threshold]


def default_types(health: bool) -> frozenset[str]:
    return DIRECT | SAFE_HARBOR if health else DIRECT

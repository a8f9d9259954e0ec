"""Numbers that stand for a person or an account: national identifiers, cards, licences, by form, check digit and the
words around them.

One pass finds everything that looks like a number of groups; each is compared with the rows of its length. A row whose
check digit is strong counts alone; a weak one (any nine digits) counts only where a word nearby says what it is.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from strata.gateway.guards.privacy import checksums as check
from strata.gateway.guards.privacy.page import Page
from strata.gateway.guards.privacy.spans import Span

NUMBER = re.compile(
    r"(?<![\w.,@])(?=[A-Za-z]{0,6}[- ]?\d|[A-Za-z0-9]{2,4}\d)[A-Za-z0-9]+(?:(?:[-./+] ?| )[A-Za-z0-9]+)*"
)
GROUP = re.compile(r"[A-Za-z0-9]+")
NEAR = 48


@dataclass(frozen=True, slots=True)
class Row:
    """`form` is matched against the whole value in capitals without separators; `shape`, where given, against the value
    as written. `alone` is the score without, `near` with a word of `words` nearby (0: does not count).
    """

    type: str
    form: re.Pattern[str]
    lengths: tuple[int, ...]
    words: re.Pattern[str]
    alone: float
    near: float
    check: Callable[[str], bool] | None
    shape: re.Pattern[str] | None


ROWS: dict[int, list[Row]] = defaultdict(list)


def _row(
    type: str,
    form: str,
    lengths: tuple[int, ...],
    words: str,
    alone: float,
    near: float = 0.9,
    check: Callable[[str], bool] | None = None,
    shape: str | None = None,
) -> None:
    row = Row(
        type,
        re.compile(form),
        lengths,
        re.compile(rf"(?<!\w)(?:{words})", re.IGNORECASE),
        alone,
        near,
        check,
        re.compile(shape) if shape else None,
    )
    for length in lengths:
        ROWS[length].append(row)


CARD = r"card|visa|master|amex|american express|discover|tarjeta|karte|carte|cc\b|credit|debit|pan\b"
_row("CREDIT_CARD", r"[1-6]\d{11,18}", tuple(range(12, 20)), CARD, 0.8, 0.95, check.luhn)
_row("CREDIT_CARD", r"[1-6]\d{11,18}", tuple(range(12, 20)), CARD, 0.0, 0.6)
_row(
    "NATIONAL_ID", r"\d{9}", (9,), r"ssn|social sec|soc\.? sec|tax|taxpayer", 0.0, 0.85, check.us_ssn,
)  # fmt: skip
_row(
    "NATIONAL_ID",
    r"\d{9}",
    (9,),
    "ssn|social",
    0.7,
    0.9,
    check.us_ssn,
    r"\d{3}([-. ]\d\d)\1?[-. ]?\d{4}|\d{3}-\d{2}-\d{4}",
)
_row("TAX_ID", r"9\d{8}", (9,), r"itin|tax|taxpayer", 0.0, 0.9, check.us_itin)
_row("TAX_ID", r"9\d{8}", (9,), r"itin|tax", 0.6, 0.9, check.us_itin, r"\d{3}-\d\d-?\d{4}|\d{3}-?\d\d-\d{4}")
_row("TAX_ID", r"\d{9}", (9,), r"ein\b|employer id", 0.0, 0.8, None, r"\d\d-\d{7}")
_row("LICENCE", r"\d{10}", (10,), r"npi|national provider|provider", 0.0, 0.9, check.us_npi)
_row("LICENCE", r"[ABCDEFGHJKLMPRSTUX][A-Z9]\d{7}", (9,), r"dea|certificat|licen", 0.6, 0.9, check.us_dea)
_row("ACCOUNT", r"\d{9}", (9,), r"aba|routing|rtn|transit|bank", 0.0, 0.9, check.us_routing)
_row("MEDICAL_RECORD", r"\d{10}", (10,), r"nhs|patient|gp\b|chi\b", 0.0, 0.9, check.uk_nhs)
_row("MEDICAL_RECORD", r"\d{10}", (10,), r"nhs", 0.6, 0.9, check.uk_nhs, r"\d{3}[ -]\d{3}[ -]\d{4}")
_row("NATIONAL_ID", r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]", (9,), r"nino|national ins|ni\b", 0.7)
_row("NATIONAL_ID", r"[XYZ]\d{7}[A-Z]", (9,), r"nie|extranj", 0.85, 0.95, check.es_nif)
_row("NATIONAL_ID", r"\d{8}[A-Z]", (9,), r"dni|nif|documento", 0.8, 0.95, check.es_nif)
_row("NATIONAL_ID", r"\d{7,8}[A-Z]", (8, 9), r"dni|nif\b|documento nacional|identidad", 0.0, 0.7)
_row("TAX_ID", r"[ABCDEFGHJNPQRSUVW]\d{7}[0-9A-J]", (9,), r"cif|nif|fiscal", 0.5, 0.9, check.es_cif)
_row("HEALTH_PLAN", r"\d{12}", (12,), r"nass|nss|naf\b|seguridad social|afiliaci", 0.0, 0.9, check.es_social)
_row("TAX_ID", r"[1-9]\d{10}", (11,), r"steuer|idnr|id-nr|tax|tin\b", 0.5, 0.95, check.de_tax)
_row(
    "NATIONAL_ID",
    r"[CFGHJKLMNPRTVWXYZ][0-9CFGHJKLMNPRTVWXYZ]{7}\d",
    (9,),
    r"ausweis|perso\b|id.?card",
    0.5,
    0.95,
    check.mrz,
)
_row(
    "PASSPORT",
    r"[CFGHJKLMNPRTVWXYZ][0-9CFGHJKLMNPRTVWXYZ]{7}\d",
    (9,),
    r"reisepass|pass\b|passport",
    0.0,
    0.9,
    check.mrz,
)
_row("NATIONAL_ID", r"\d{2}[0-3]\d[01]\d{3}[A-Z]\d{3}", (12,), r"rente|sozialvers|rvnr", 0.7, 0.95, check.de_pension)
_row("HEALTH_PLAN", r"[A-Z]\d{9}", (10,), r"kvnr|kranken|versicher|gesundheitskarte", 0.5, 0.95, check.de_health)
_row("LICENCE", r"\d{9}", (9,), r"lanr|arztn|bsnr|betriebsst", 0.0, 0.9, check.de_physician)
_row("LICENCE", r"\d{9}", (9,), r"bsnr|betriebsst", 0.0, 0.8)
_row("TAX_ID", r"DE[1-9]\d{8}", (11,), r"ust|vat|umsatz|mwst", 0.7, 0.95, lambda text: check.mod11_10(text[2:]))
_row(
    "TAX_ID", r"(?:ATU\d{8}|BE[01]\d{9}|DK\d{8}|FI\d{8}|FR[0-9A-Z]{2}\d{9}|IT\d{11}|LU\d{8}|NL\d{9}B\d\d|PL\d{10}|PT\d{9}"
    r"|SE\d{12}|GB\d{9}|ES[0-9A-Z]\d{7}[0-9A-Z])", (10, 11, 12, 13, 14), r"vat|tax|ust|iva|tva|nif|btw", 0.3, 0.85,
)  # fmt: skip
_row(
    "NATIONAL_ID",
    r"[12]\d{2}(?:0[1-9]|1[0-2]|[2-9]\d)(?:\d\d|2[AB])\d{6}\d{2}",
    (15,),
    r"nir|insee|sécurité|carte vitale",
    0.8,
    0.95,
    check.fr_nir,
)
_row(
    "NATIONAL_ID",
    r"[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]",
    (16,),
    r"codice|fiscale|cf\b",
    0.85,
    0.95,
)
_row("PASSPORT", r"[A-Z]{2}\d{7}", (9,), r"passapor|passport|pasaporte|reisepass|passeport", 0.1, 0.9)
_row("PASSPORT", r"[A-Z]{3}\d{6}", (9,), r"pasaporte|passport", 0.1, 0.9)
_row(
    "PASSPORT",
    r"[A-Z]?\d{7,9}|\d{2}[A-Z]{2}\d{5}",
    (8, 9),
    r"passapor|passport|pasaporte|reisepass|passeport|paszport",
    0.0,
    0.85,
)
_row("NATIONAL_ID", r"\d{11}", (11,), r"pesel", 0.6, 0.95, check.pl_pesel)
_row(
    "TAX_ID",
    r"\d{10}",
    (10,),
    r"nip\b",
    0.0,
    0.9,
    lambda text: check.weighted(text, (6, 5, 7, 2, 3, 4, 5, 6, 7)) % 11 == int(text[9]),
)
_row("TAX_ID", r"\d{9}", (9,), r"tfn|tax file", 0.0, 0.95, check.au_tfn)
_row("TAX_ID", r"\d{11}", (11,), r"abn|australian business", 0.4, 0.95, check.au_abn)
_row("TAX_ID", r"\d{9}", (9,), r"acn|australian company", 0.0, 0.95, check.au_acn)
_row("HEALTH_PLAN", r"\d{10}", (10,), r"medicare", 0.0, 0.95, check.au_medicare)
_row(
    "HEALTH_PLAN",
    r"\d[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d[AC-HJKMNP-RT-Y]{2}\d{2}",
    (11,),
    r"medicare|mbi",
    0.8,
)
_row("NATIONAL_ID", r"[STFGM]\d{7}[A-Z]", (9,), r"nric|fin\b|ic\b", 0.8, 0.95, check.sg_nric)
_row(
    "TAX_ID", r"(?:\d{8,9}[A-Z]|[TSR]\d{2}[A-Z]{2}\d{4}[A-Z])", (9, 10), r"uen|company|business|registration", 0.1, 0.85
)
_row("NATIONAL_ID", r"\d{6}[1-8]\d{6}", (13,), r"rrn|frn|resident|korea|주민|외국인", 0.5, 0.9, check.kr_rrn)
_row("NATIONAL_ID", r"\d{6}[1-8]\d{6}", (13,), r"rrn|frn|korea", 0.7, 0.9, check.kr_rrn, r"\d{6}-\d{7}")
_row("TAX_ID", r"\d{10}", (10,), r"brn|business|사업자", 0.3, 0.9, check.kr_company)
_row("NATIONAL_ID", r"[2-9]\d{11}", (12,), r"aadhaar|aadhar|uid\b|uidai|आधार", 0.6, 0.95, check.in_aadhaar)
_row(
    "TAX_ID",
    r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]",
    (10,),
    r"pan\b|permanent account|income tax",
    0.8,
    0.9,
    None,
    r"[A-Za-z]{5}\d{4}[A-Za-z]",
)
_row("TAX_ID", r"(?=.*\d{4})[A-Z0-9]{10}", (10,), r"pan\b|permanent account", 0.0, 0.7)
_row("NATIONAL_ID", r"\d{6}[-+A]?\d{3}[0-9A-FHJ-NPR-Y]", (10, 11), r"hetu|henkilö|finnish|personal id", 0.0, 0.9)
_row(
    "NATIONAL_ID",
    r"(?:19|20)?\d{10}",
    (10, 12),
    r"personnummer|pnr|samordning|swedish|personal id",
    0.0,
    0.95,
    check.se_personal,
)
_row("NATIONAL_ID", r"(?:18|19|20)\d{10}", (12,), r"personnummer|pnr", 0.6, 0.95, check.se_personal)
_row("NATIONAL_ID", r"\d{10}", (10,), r"personnummer|pnr", 0.6, 0.95, check.se_personal, r"\d{6}[-+]\d{4}")
_row("NATIONAL_ID", r"\d{10}", (10,), r"cpr", 0.0, 0.9, lambda text: check.born(text[4:6] + text[2:4] + text[:2]))
_row("NATIONAL_ID", r"\d{11}", (11,), r"fødsel|personnummer|norwegian|fnr", 0.5, 0.95, check.no_birth)
_row("NATIONAL_ID", r"\d{9}", (9,), r"bsn|burgerservice|sofi", 0.0, 0.95, check.nl_bsn)
_row(
    "NATIONAL_ID",
    r"\d{11}",
    (11,),
    r"rijksregister|national|nrn|registre",
    0.5,
    0.95,
    check.be_national,
    r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d|\d{11}",
)
_row("TAX_ID", r"\d{9}", (9,), r"nif|contribuinte", 0.0, 0.9, check.pt_nif)
_row("NATIONAL_ID", r"\d{11}", (11,), r"cpf", 0.5, 0.95, check.br_cpf)
_row("NATIONAL_ID", r"[1-9]\d{10}", (11,), r"kimlik|tckn|t\.?c\.?\b|turk", 0.5, 0.95, check.tr_identity)
_row("NATIONAL_ID", r"\d{9}|\d{13}|756\d{10}", (9, 13), r"ahv|avs\b", 0.0, 0.9)
_row("NATIONAL_ID", r"756\d{10}", (13,), r"ahv|avs", 0.8, 0.95, None, r"756[.]\d{4}[.]\d{4}[.]\d\d|756\d{10}")
_row("TAX_ID", r"\d{9}|\d{12}", (9, 12), r"tin\b|bir\b|tax id", 0.0, 0.75)
_row("NATIONAL_ID", r"\d{9}", (9,), r"sin\b|social insurance", 0.0, 0.9, check.luhn)
_row("NATIONAL_ID", r"[A-Z]{4}\d{6}[HM][A-Z]{5}[0-9A-Z]\d", (18,), "curp", 0.9)
_row("TAX_ID", r"[A-ZÑ&]{3,4}\d{6}[0-9A-Z]{3}", (12, 13), "rfc", 0.5)
_row("NATIONAL_ID", r"\d{11}", (11,), r"nin\b|national id", 0.0, 0.8)
_row("VEHICLE", r"(?!.*[IOQ])[A-HJ-NPR-Z0-9]{17}", (17,), r"vin\b|vehicle|chassis|fahrgestell|bastidor", 0.3, 0.9)
PLATE = r"plate|vehicle|registration|car\b|bike|reg\b|matr[ií]cula|kennzeichen|auto\b|coche|plaka|immatricul|targa"
_row(
    "VEHICLE",
    r"(?!.*[IQ])[A-HJ-PR-Y][A-HJ-PR-Y](?:0[2-9]|[1-2]\d|5[1-9]|6\d|7\d)[A-HJ-PR-Z]{3}",
    (7,),
    PLATE,
    0.6,
    0.9,
    None,
    r"[A-Z]{2}\d{2}[ -]?[A-Z]{3}|[a-z]{2}\d{2}[a-z]{3}",
)
_row(
    "VEHICLE",
    r"[A-HJ-NP-TV-Y]\d{1,3}[A-HJ-PR-TV-Y]{3}|[A-HJ-PR-TV-Y]{3}\d{1,3}[A-HJ-NP-TV-Y]",
    (5, 6, 7),
    PLATE,
    0.2,
    0.8,
)
_row("VEHICLE", r"[A-Z]{2}\d{1,2}[A-Z]{0,3}\d{4}", tuple(range(7, 12)), PLATE, 0.2, 0.8)
_row(
    "VEHICLE",
    r"(?:0[1-9]|[1-7]\d|8[01])(?:[A-Z]\d{4}|[A-Z]\d{3}|[A-Z]{2}\d{3,4}|[A-Z]{3}\d{2,4}|[A-Z]{2}\d{2})",
    (6, 7, 8, 9),
    PLATE,
    0.2,
    0.8,
)
_row("VEHICLE", r"\d{4}[BCDFGHJKLMNPRSTVWXYZ]{3}", (7,), PLATE, 0.5, 0.9, None, r"\d{4}[ -]?[A-Z]{3}")
_row(
    "VEHICLE",
    r"[A-ZÄÖÜ]{1,3}[A-Z]{1,2}\d{1,4}[EH]?",
    tuple(range(3, 10)),
    PLATE,
    0.0,
    0.8,
    None,
    r"[A-ZÄÖÜ]{1,3}[- ][A-Z]{1,2}[- ]?\d{1,4}[EH]?",
)
_row(
    "VEHICLE",
    r"(?=.*\d)(?=.*[A-Z])[A-Z0-9]{5,8}",
    (5, 6, 7, 8),
    r"licen[cs]e plate|plate|matr[ií]cula|kennzeichen",
    0.0,
    0.75,
)
_row("DEVICE", r"\d{15}", (15,), r"imei", 0.3, 0.9, check.luhn)


def look(page: Page) -> Iterator[Span]:
    """Identifiers whose form is known, with what is written around them taken into account."""
    text, lowered = page.text, ""
    if not page.numbered:
        return
    for run in NUMBER.finditer(text):
        value = run.group()
        digits = sum(map(str.isdigit, value))
        if digits < 2 or (digits < 3 and len(value) < 6):
            continue
        lowered = lowered or text.lower()
        yield from _looked(lowered, run.start(), value)


def _looked(lowered: str, offset: int, value: str) -> Iterator[Span]:
    groups = [(one.start(), one.end()) for one in GROUP.finditer(value)]
    if len(groups) > 12:
        groups = groups[:12]
    first = 0
    while first < len(groups):
        for last in range(len(groups) - 1, first - 1, -1):
            start, end = groups[first][0], groups[last][1]
            written = value[start:end]
            if end - start > 34:
                continue
            found = _judged(lowered, offset + start, offset + end, written)
            if found:
                yield found
                first = last
                break
        first += 1


def _judged(lowered: str, start: int, end: int, written: str) -> Span | None:
    compact = "".join(letter for letter in written if letter.isalnum()).upper()
    rows = ROWS.get(len(compact))
    if not rows or (written != written.upper() and (" " in written or written != written.lower())):
        return None
    best: tuple[float, str] = (0.0, "")
    around = ""
    for row in rows:
        if row.near <= best[0] or not row.form.fullmatch(compact):
            continue
        if row.shape and not row.shape.fullmatch(written):
            continue
        if row.check and not _fits(row.check, compact):
            continue
        around = around or lowered[max(0, start - NEAR) : start] + "\n" + lowered[end : end + NEAR // 2]
        score = row.near if row.words.search(around) else row.alone
        if score > best[0]:
            best = (score, row.type)
    return Span(start, end, best[1], best[0]) if best[0] else None


def _fits(check: Callable[[str], bool], compact: str) -> bool:
    try:
        return check(compact)
    except (ValueError, IndexError, KeyError):
        return False

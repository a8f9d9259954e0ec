"""Where a person or a machine can be reached: mail, web and network addresses, telephones, bank accounts, wallets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address

from strata.gateway.guards.privacy import checksums as check
from strata.gateway.guards.privacy.page import Page
from strata.gateway.guards.privacy.spans import Span

EMAIL = re.compile(r"(?<![\w.!#$%&'*+/=?^`{|}~-])[\w.!#$%&'*+/=?^`{|}~-]++@(?:[\w-]++\.)+[\w-]{2,}")
URL = re.compile(
    r"(?:https?://|ftp://|www\.)[^\s<>\"'\]]+[^\s<>\"'\].,;:!?)]|(?<![\w@.-])(?:[a-z0-9-]+\.)+(?:com|org|net|io|de|es|fr|co\.uk|eu|info|me|dev)(?:/[^\s<>\"')\]]*[^\s<>\"')\].,;:!?])(?![\w])",
    re.IGNORECASE,
)
IP4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?:/\d{1,2})?(?!\.?\w)")
IP6 = re.compile(
    r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]{0,4})(?:%\w+|/\d{1,3})?(?![\w:])"
)
MAC = re.compile(
    r"(?<![\w:-])(?:[0-9A-Fa-f]{2}([:-]))(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}(?![\w:-])|(?<!\w)(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}(?!\w)"
)
IBAN = re.compile(r"(?<!\w)[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]{4}){2,7}(?:[ -]?[A-Za-z0-9]{1,3})?(?!\w)")
WALLET = re.compile(
    r"(?<!\w)(?:bc1[02-9ac-hj-np-z]{11,71}|[13][1-9A-HJ-NP-Za-km-z]{25,34}|0x[0-9a-fA-F]{40}|[LM][1-9A-HJ-NP-Za-km-z]{26,33}|4[0-9AB][1-9A-HJ-NP-Za-km-z]{93})(?!\w)"
)
COORDINATES = re.compile(r"(?<![\w.])[-+]?\d{1,2}\.\d{4,},\s?[-+]?\d{1,3}\.\d{4,}(?![\w.])")
HANDLE = re.compile(r"(?<![\w@./])@[A-Za-z_]\w{2,30}(?![\w@])")
PHONE = re.compile(
    r"(?<![\w+#.,/-])(?:\(?(?:\+|00)\d{1,3}\)?[ .\-/()]{0,3}\d{1,12}(?:[ .\-/()]{1,3}\d{1,12}){0,6}"
    r"|0\d{1,4}[-/ ]\d{1,8}(?:[ /-]\d{2,8}){0,3}(?=\W|\Z)"
    r"|(?:\(0?\d{1,5}\)[ .\-/]{0,2}|\d{1,5}[ .\-/]{1,2}(?=[\d(]))?(?:\(\d{1,4}\)[ .\-]{0,2})?\d{2,}(?:[ .\-/]{1,2}\d{2,8}){0,5})"
    r"(?:\s?(?:x|ext\.?|extension|durchwahl|-)\s?\d{1,5})?(?![\w]|[.,]\d|%)",
    re.IGNORECASE,
)
CALL = re.compile(
    r"(?<!\w)(?:t(?:e|é)?l(?:f|\.|:|\b)|tele[pf]|t(?:fn|lf)o?|phone|call|ring\b|mobile|cell|fax|desk|handy|mobil|m[óo]vil|sms|text(?:ed|ing)?\b|whatsapp"
    r"|dial|reach|contact|messages? to|answer|registered|number is|rufnummer|telefon|anruf|durchwahl|contacto|llam|hotline|pager|landline|ph\b)",
    re.IGNORECASE,
)
NOT_CALLED = re.compile(
    r"(?:card|iban|account|acct|invoice|order|nhc|nass|ssn|isbn|issn|doi|pmid|nct|\$|€|£|vers(?:ion)?|steuer|passport|policy|zip|cp)\W{0,3}(?:n\w{0,6}\W{0,3})?(?:is\W)?$",
    re.IGNORECASE,
)
DATE_LIKE = re.compile(r"(?:\d{1,2}[./-]\d{1,2}[./-](?:\d\d|\d{4})|\d{4}[./-]\d{1,2}[./-]\d{1,2})(?!\d)")


def look(page: Page) -> Iterator[Span]:
    """Everything here that has a form of its own."""
    text = page.text
    if "@" in text:
        for one in EMAIL.finditer(text):
            yield Span(one.start(), one.end(), "EMAIL", 0.99)
        for one in HANDLE.finditer(text):
            yield Span(one.start(), one.end(), "USERNAME", 0.5)
    if "://" in text or "www." in text.lower() or "/" in text:
        for one in URL.finditer(text):
            yield Span(one.start(), one.end(), "URL", 0.7)
    if not page.numbered:
        return
    yield from _network(text)
    numbers = [text[page.line[at].start : page.line[at].end] for at in page.words["0"]]
    if any(len(number) > 3 and not number.isdigit() for number in numbers):
        yield from _accounts(text)
    if "." in text:
        for one in COORDINATES.finditer(text):
            yield Span(one.start(), one.end(), "COORDINATES", 0.7)
    if sum(map(len, numbers)) > 5:
        yield from phones(text)


def _accounts(text: str) -> Iterator[Span]:
    """Of banks and of currencies; both have letters and digits in one word."""
    for one in IBAN.finditer(text):
        compact = re.sub(r"[ -]", "", one.group())
        if compact[:2].isalpha() and 15 <= len(compact) <= 34 and check.iban(compact):
            yield Span(one.start(), one.end(), "IBAN", 0.99)
    for one in WALLET.finditer(text):
        value = one.group()
        if value[:2] == "0x" or value[0] in "4LM" or check.bitcoin(value):
            yield Span(one.start(), one.end(), "CRYPTO_WALLET", 0.9)


def _network(text: str) -> Iterator[Span]:
    if text.count(".") > 2:
        for one in IP4.finditer(text):
            if all(int(part) < 256 for part in one.group().partition("/")[0].split(".")):
                yield Span(one.start(), one.end(), "IP_ADDRESS", 0.8)
    if text.count(":") > 4 or text.count("-") > 4 or text.count(".") > 1:
        for one in MAC.finditer(text):
            yield Span(one.start(), one.end(), "MAC_ADDRESS", 0.9)
    if text.count(":") > 1:
        for one in IP6.finditer(text):
            value = one.group()
            try:
                ip_address(re.split("[%/]", value)[0])
            except ValueError:
                continue
            if len(value) > 2 or "ip" in text[max(0, one.start() - 20) : one.start()].lower():
                yield Span(one.start(), one.end(), "IP_ADDRESS", 0.9)


def phones(text: str) -> Iterator[Span]:
    """Telephone numbers of any country: surer with a prefix, brackets or a word such as "call" before them."""
    for one in PHONE.finditer(text):
        value = one.group()
        digits = sum(map(str.isdigit, value))
        if not 6 <= digits <= 17 or DATE_LIKE.fullmatch(value):
            continue
        before = text[max(0, one.start() - 36) : one.start()]
        score = _likely(value, digits, bool(CALL.search(before)))
        if NOT_CALLED.search(before):
            score -= 0.5
        if score >= 0.4:
            yield Span(one.start(), one.end(), "PHONE", min(score, 0.95))


def _likely(value: str, digits: int, called: bool) -> float:
    groups = len(re.findall(r"\d+", value))
    score = 0.45 if called else 0.0
    if value.startswith(("+", "(+")) or (value.startswith("00") and digits > 9):
        score += 0.6 if digits >= 8 else 0.2
    elif "(" in value and groups > 1:
        score += 0.55
    elif re.fullmatch(r"(?:1[-. ])?\d{3}[-. ]\d{3}[-. ]\d{4}.*", value):
        score += 0.6
    elif value.startswith("0") and 9 <= digits <= 13 and "." not in value:
        score += 0.5
    elif re.fullmatch(r"\d{1,3}(?: \d{3})+|\d{1,3}(?:\.\d{3})+", value):
        score += 0.1 if digits != 9 else 0.3
    elif (groups >= 3 and 7 <= digits <= 11) or re.fullmatch(
        r"\d{3} \d{4}|\d{2} \d{6}|\d{4} \d{4}|0\d{2,4}[ /-]\d{5,8}", value
    ):
        score += 0.5
    elif groups == 1 and digits in {9, 10, 11}:
        score += 0.25
    elif 6 <= digits <= 12:
        score += 0.2
    return score

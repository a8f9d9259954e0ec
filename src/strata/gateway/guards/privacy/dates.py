"""Days, years and ages, as figures and as words in English, Spanish and German, with French and Italian months."""

from __future__ import annotations

import re
from collections.abc import Iterator

from strata.gateway.guards.privacy.page import Page, role
from strata.gateway.guards.privacy.spans import Span

MONTH = (
    r"(?:jan(?:uary|uar|vier)?|feb(?:ruary|ruar|rero)?|febbraio|février|mar(?:ch|zo|s)?|märz|apr(?:il|ile)?|abril|avril|may|mayo|mai|maggio|jun(?:e|i|io)?|juin|giugno"
    r"|jul(?:y|i|io)?|juillet|luglio|aug(?:ust)?|agosto|août|sept?(?:ember|iembre|tembre)?|setiembre|septembre|settembre|oct(?:ober|ubre|obre)?|okt(?:ober)?|ottobre|nov(?:ember|iembre|embre)?"
    r"|dec(?:ember)?|dez(?:ember)?|dic(?:iembre|embre)?|décembre|enero|ene|janeiro|gennaio|abr|ago)"
)
FULL_MONTH = (
    r"(?:january|february|march|april|june|july|august|september|october|november|december|enero|febrero|marzo|abril|mayo|junio|julio|agosto"
    r"|septiembre|setiembre|octubre|noviembre|diciembre|januar|februar|märz|mai|juni|juli|oktober|dezember|may)"
)
YEAR = r"(?:1[89]|20)\d\d"
TIME = r"(?:[T ,]{1,2}(?:at |um |a las )?\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?(?: ?[ap]\.?m\.?)?(?:Z|[+-]\d\d:?\d\d)?)?"
DAY = r"(?:0?[1-9]|[12]\d|3[01])"
DATE = re.compile(
    rf"(?<![\w./,-])(?:(?=\d)(?:(?:19|20|18)\d\d[-/.](?:0?[1-9]|1[0-2])[-/.]{DAY}(?!\d){TIME}"
    rf"|{DAY}[-/.](?:0?[1-9]|1[0-2])[-/.](?:{YEAR}|\d\d)(?![\d./-]\d){TIME}"
    rf"|(?:0?[1-9]|1[0-2])[-/.]{DAY}[-/.](?:{YEAR}|\d\d)(?![\d./-]\d){TIME}"
    rf"|{DAY}[-/ .]{MONTH}[-/ .,]{{1,2}}(?:{YEAR}|\d\d)(?!\w){TIME}"
    rf"|(?:1er|{DAY}(?:st|nd|rd|th|º|\.)?) (?:of |de )?{MONTH}\.?(?:,? (?:del? (?:año )?|of )?{YEAR})?(?!\w){TIME}"
    rf"|(?:0?[1-9]|1[0-2])/{YEAR}(?![\w/]))"
    rf"|(?=[jfmasonedg])(?:{MONTH}\.? {DAY}(?:st|nd|rd|th)?(?!\d)(?:,? {YEAR})?(?![\w%]){TIME}"
    rf"|{FULL_MONTH},? (?:del? (?:año )?|of )?{YEAR}(?!\w)|{MONTH}[-/' .]{{1,2}}{YEAR}(?!\w)))",
    re.IGNORECASE,
)
LONE_YEAR = re.compile(
    rf"(?<![\w.,/:#€$£+-])(?<!\d )(?P<year>{YEAR}(?:[-/–](?:{YEAR}|\d\d))?)(?![\w%/]|[-.,:]\d| ?(?:mg|ml|g|kg|cm|mm|km|ui|iu|kcal|euros?|€|usd|dollars?|cc|ug|µg|mcg|células|hours|times|people)\b|-\w)",
    re.IGNORECASE,
)
YEAR_CUE = re.compile(
    r"(?:\b(?:in|since|from|until|till|by|of|year|años?|desde|hasta|en|del?|a|jahr|seit|von|bis|im|to|and|y|und|a|early|late|mid|around|circa|the|enero|after|before|during|class of|spring|summer|fall|autumn|winter|antes|después|durante)\W{1,2}|[(\[]|:\s|^)$",
    re.IGNORECASE,
)
IN_MONTH = re.compile(
    rf"(?<!\w)(?:in|since|until|last|next|early|late|mid|by|en|de|desde|hasta|im|seit|bis|ende|anfang|mitte) (?P<month>{FULL_MONTH})(?!\w)",
    re.IGNORECASE,
)
WEEKDAY = re.compile(r"(?<!\w)(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?(?!\w)")
SEASON = re.compile(
    rf"(?<!\w)(?:spring|summer|autumn|fall|winter|primavera|verano|otoño|invierno|frühjahr|frühling|sommer|herbst|winter) (?:of |del? |de )?{YEAR}(?!\w)",
    re.IGNORECASE,
)
BORN = re.compile(
    r"(?:born|birth(?:day|date)?|d\.?o\.?b\.?|nacid[oa]|naci[óo]|nacimiento|geboren|geburts\w*|geb\.|née?|naissance|nat[oa] il)(?:\W{1,3}(?:is|was|am|on|in|the|el|date|le|es|ist|fecha))*\W{0,4}$",
    re.IGNORECASE,
)

WORDS = r"(?:un|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|trece|catorce|quince|diecis[ée]is|diecisiete|dieciocho|diecinueve|veinte|veinti\w+|treinta(?: y \w+)?|cuarenta(?: y \w+)?|cincuenta(?: y \w+)?|sesenta(?: y \w+)?|setenta(?: y \w+)?|ochenta(?: y \w+)?|noventa(?: y \w+)?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty(?:[- ]\w+)?)"
NUMBER = rf"(?:\d{{1,3}}|{WORDS})"
AGE = re.compile(
    rf"(?<![\w.,/-])(?:(?P<old>{NUMBER}[- ]?(?:years?|yrs?|yo|y\.o\.|months?|weeks?|days?)[- ](?:old|of age)|{NUMBER} ?y/?o(?!\w)|{NUMBER}[- ]?(?:year|yr|month)[- ]old)"
    rf"|(?:aged?|age of|turn(?:ed|s|ing)?|turn(?:ed)? the big|i'?m|i am|he'?s|she'?s|(?:when|he|she) (?:was|is)|age(?:\s?[:=]| is)|edad(?:\s?[:=]| de)?|alter\s?[:=]?|aged|ages)\s+(?:only |just |now |about )?(?P<said>\d{{1,3}}(?: ?(?:a[ñn]os|years|jahre|meses|months))?)(?![\w/:%$€]|[.,]\d| ?(?:mg|ml|kg|km|cm|minutes|hours|min|percent|%|weeks|miles|days|seconds|o'clock|de la|am|pm)\b)"
    rf"|edad\s?[:=]\s?(?P<field>\d{{1,3}}(?: (?:a[ñn]os|meses|d[íi]as))?)"
    rf"|(?P<es>(?:{NUMBER} (?:a[ñn]os|mes(?:es)?|semanas?|d[íi]as?)(?: y (?:medio|{NUMBER} (?:mes(?:es)?|d[íi]as?)))? de (?:edad|vida)))"
    rf"|(?:niñ[oa]|lactante|beb[ée]|nacid[oa]|var[óo]n|mujer|hombre|paciente|adolescente|edad:?)\W{{1,2}}(?:\w+ )?(?:de )?(?P<es3>{NUMBER} (?:a[ñn]os?|mes(?:es)?|d[íi]as?|semanas?)(?: y (?:medio|{NUMBER} (?:mes(?:es)?|d[íi]as?)))?)"
    rf"|(?:de|con|desde los|a los|tiene|ten[íi]a|los) (?P<es2>{NUMBER} a[ñn]os)(?! (?:de evoluci|despu[ée]s|antes|m[áa]s|previ|atr[áa]s|de (?:seguimiento|tratamiento|duraci|antig|diagn|historia)))"
    rf"|(?P<de>\d{{1,3}}[- ]?(?:jährige[rnms]?|Jahre? alte?[rnms]?)|\d{{1,3}}[- ]J(?:ahre|\.)(?! (?:lang|später|nach|vor)))(?!\w))",
    re.IGNORECASE,
)
COUNT = re.compile(WORDS)
YEAR_WORD = re.compile(r"\b(?:año|year|jahr) \Z", re.IGNORECASE)
DIGITS = re.compile(r"\d+")


AGED = (
    "año",
    "ano",
    "year",
    "edad",
    "age",
    "alter",
    "jahr",
    "jähr",
    "meses",
    "semana",
    "día",
    "dia",
    "month",
    "week",
    "day",
)
SAID = frozenset(
    ("i'm", "i’m", "am", "he's", "she's", "he’s", "she’s", "was", "is", "turn", "turns", "turned", "turning", "big")
)
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "jan",
    "feb",
    "mar",
    "mär",
    "ap",
    "ab",
    "ma",
    "jun",
    "jul",
    "ag",
    "aug",
    "sep",
    "set",
    "oct",
    "okt",
    "nov",
    "dec",
    "dez",
    "dic",
    "en",
)
SEASONS = (
    "spring",
    "summer",
    "autumn",
    "fall",
    "winter",
    "prima",
    "verano",
    "otoño",
    "invierno",
    "früh",
    "sommer",
    "herbst",
)


def look(page: Page) -> Iterator[Span]:
    """Dates, the day of birth as a type of its own, and ages, those over 89 as a type of their own."""
    text = page.text
    if page.numbered:
        yield from _days(text)
    for stems, pattern, group in NAMED:
        if stems in page.marked:
            for one in pattern.finditer(text):
                yield Span(*one.span(group), "DATE", 0.5)
    counted = {*page.words.get("0", ()), *page.marked.get(COUNTED, ())}
    if not counted:
        return
    for start, end in page.around(OF_AGE, 36, 48, counted, range(-9, 10)):
        yield from _ages(text, start, end)
    for start, end in page.around(SAID_OF_AGE, 12, 36, page.words.get("0", ()), range(1, 4)):
        yield from _ages(text, start, end)


def _days(text: str) -> Iterator[Span]:
    for one in DATE.finditer(text):
        born = BORN.search(text, max(0, one.start() - 32), one.start())
        yield Span(one.start(), one.end(), "BIRTH_DATE" if born else "DATE", 0.8)
    for one in LONE_YEAR.finditer(text):
        if YEAR_CUE.search(text, max(0, one.start() - 12), one.start()):
            born = BORN.search(text, max(0, one.start() - 32), one.start())
            start = YEAR_WORD.search(text, max(0, one.start() - 5), one.start())
            yield Span(start.start() if start else one.start(), one.end("year"), "BIRTH_DATE" if born else "DATE", 0.55)


def _aged(word: str) -> bool:
    return word.startswith(AGED) or word in {"yo", "y", "yr", "yrs", "old", "mes", "j"}


OF_AGE, SAID_OF_AGE = role(_aged), role(SAID.__contains__)
COUNTED = role(lambda word: COUNT.match(word) is not None)
NAMED: tuple[tuple[int, re.Pattern[str], str | int], ...] = (
    (role(lambda word: word.startswith(MONTHS)), IN_MONTH, "month"),
    (role(lambda word: word.startswith(DAYS)), WEEKDAY, 0),
    (role(lambda word: word.startswith(SEASONS)), SEASON, 0),
)


def _ages(text: str, begin: int, stop: int) -> Iterator[Span]:
    for one in AGE.finditer(text, begin, stop):
        start, end = one.span(one.lastgroup or 0)
        years = DIGITS.search(text, start, end)
        yield Span(start, end, "OLD_AGE" if years and int(years.group()) > 89 else "AGE", 0.6)

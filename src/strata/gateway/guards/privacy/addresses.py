"""Postal addresses: a street by its words in many languages, and what stands around it up to the postcode and town."""

from __future__ import annotations

import re
from collections.abc import Iterator

from strata.gateway.guards.privacy.page import Page, role, words_of
from strata.gateway.guards.privacy.spans import Span

CAPITAL = r"[A-ZÀ-ÖØ-ÞŁŚŻŠČŽŘĐĽİŐ]"
NAME = rf"{CAPITAL}[\w'’.-]*"
LINK = r"(?:de|del|la|las|los|el|y|e|da|do|dos|das|di|du|des|le|les|der|den|van|von|zum|zur|l['’]|d['’]|of|the|st\.?|i|na|s[tv]\.)"
HOUSE = r"\d{1,5}(?:[ ]?[-/–][ ]?\d{1,4})?[ ]?(?:[A-Za-z](?!\w))?"
SECOND = (
    r"(?:[ ,;]{0,3}(?:(?:apt|apto|apartment|suite|ste|unit|flat|floor|room|rm|bldg|building|piso|planta|puerta|pta|portal|esc(?:alera)?|bloque|bajo|local|dpto|depto|km|wohnung|whg|etage|og|stock|box|lgh|m|apt\.)\b\.?[ ]?#?[\w-]{0,6}(?:,\d+)?"
    r"|#[ ]?\w{1,6}|\d{1,2}[ ]?[ºª°][ ]?[A-Za-zÀ-ÿ]{0,4}(?!\w)|s/n|\d{1,4}[ ]?[A-Za-z]?(?![\w.%])|[A-Z](?!\w)|(?:izq|dcha|der|izda|dch)\w*\.?))"
)
ES = r"(?:calle|c/\.?|c\.|avda\.?|avenida|avinguda|av\.?|plaza|plaça|pza\.?|pl\.|paseo|passeig|p[ºo]\.?|pso\.?|ctra\.?|crta\.?|carretera|camino|ronda|traves[íi]a|rambla|urbanizaci[óo]n|urb\.?|glorieta|pol[íi]gono|carrer|barrio|callej[óo]n|cuesta|autov[íi]a)"
FR = r"(?:rue|avenue|boulevard|bd|place|chemin|impasse|all[ée]e|quai|route|cours|faubourg|via|viale|piazza|corso|largo|vicolo|rua|travessa|estrada|praça|alameda|rodovia|ul\.|al\.|os\.|pl\.|plac|aleja|strada|str\.|bulevardul)"
EN = r"(?:street|st|road|rd|avenue|ave|av|boulevard|blvd|lane|ln|drive|dr|court|ct|way|place|pl|square|sq|terrace|ter|parkway|pkwy|highway|hwy|circle|cir|trail|trl|close|crescent|cres|row|mews|gardens|grove|walk|plaza|alley|loop|run|pike|turnpike|expressway|freeway|crossing|bridge|forges?|manor|ridge|view|heights|estates?)"
DE = r"(?:stra(?:ß|ss)e|str\.|gasse|weg|platz|allee|ring|damm|ufer|steig|pfad|markt|chaussee|graben|berg|straat|laan|plein|gracht|kade|dreef|steenweg|gatan|vägen|gata|gade|vej|veien|gaten|vegen|katu|tie|polku|kuja|plads|stræde|allé|utca|tér|köz|ulice|náměstí|cesta|ulica|sokak|caddesi|tún|braut|götu)"
STREET = re.compile(
    rf"(?<![\w/])(?i:{ES})(?:[ ]|(?<=[./]))[ ]?(?:{LINK} ){{0,3}}(?i:{NAME}|\d{{1,2}} de \w+)(?:,?[ ](?:{LINK} )*{NAME}){{0,5}}(?:,? ?(?:(?:n[º°o]\.?|num\.?|número|km)[ ]?)?{HOUSE}{SECOND}{{0,5}}|,? ?s/n|{SECOND}{{1,4}}|(?=[,.;\n)]|$))"
    rf"|(?<![\w.])(?:{HOUSE},? )?(?i:{FR})[ ](?:{LINK}[ ]?){{0,3}}{NAME}(?:[ ](?:{LINK}[ ]?)*{NAME}){{0,4}}(?:,?[ ]{HOUSE}{SECOND}{{0,3}})?"
    rf"|(?<![\w.])(?:{HOUSE},? )(?:{NAME} ){{1,4}}(?i:{EN})(?!\w)\.?(?:[ ](?:N|S|E|W|NE|NW|SE|SW)\b)?{SECOND}{{0,3}}"
    rf"|(?<![\w.])(?:{NAME}[ ]){{1,3}}(?:Street|Road|Avenue|Boulevard|Lane|Drive|Court|Square|Terrace|Parkway|Crescent|Close|St\b|Rd\b|Ave\b|Blvd\b|Ln\b)\.?(?:[ ]{HOUSE})?"
    rf"|(?<!\w)(?:\d{{1,6}}[ ])?(?:{NAME}[ -]){{0,3}}{CAPITAL}?[\w-]*(?i:(?<=\w){DE}|(?<= ){DE}|(?<=[ ])u\.|út(?!\w))[ ]{HOUSE}\.?{SECOND}{{0,3}}(?!\w)"
    rf"|(?<!\w)(?:Am|An der|An den|Auf der|Auf dem|Im|In der|Unter den|Zum|Zur|Hinter der) {NAME}(?: {NAME})? {HOUSE}(?!\w)"
    rf"|(?<!\w)(?i:p\.? ?o\.? ?box|apartado(?: de correos)?|postfach|psc|box)[ ]#?\d{{1,6}}(?:,? (?i:box) \d+)?"
    rf"|(?<!\w)(?:PSC|Unit|CMR|USNS|USCGC|USS|FPO|APO)[ ][\w]{{1,10}}(?:,? (?i:box|unit)[ ]\d+)?(?=[\s,]+(?:APO|FPO|DPO)\b)"
)
SECONDARY = re.compile(
    r"(?<!\w)(?i:apt|apartment|suite|ste|unit|flat|wohnung|piso)\.? #?(?:\d{1,5}\w?|[A-Z]\d{0,3})(?!\w)"
)
ZIP = re.compile(
    r"(?<![\w.,/-])(?:[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}(?!\w)|[A-Z]\d[A-Z] \d[A-Z]\d(?!\w)|(?:A[LKSZRAEP]|C[AOT]|D[EC]|F[LM]|G[AU]|HI|I[ADLN]|K[SY]|LA|M[ADEHINOPST]|N[CDEHJMVY]|O[HKR]|P[ARW]|RI|S[CD]|T[NX]|UT|V[AIT]|W[AIVY]|APO|FPO)[,.]? \d{5}(?:-\d{4})?(?!\w)"
    r"|(?:[DEF]-|CH-|A-|ES-|L-|B-)?\d{4,5}(?=,? "
    + CAPITAL
    + r"[a-zà-ÿ]{2,})|\d{2}-\d{3}(?= "
    + CAPITAL
    + r")|\d{5}-\d{3,4}(?!\w)|\d{4} (?!UI|IU|MG|ML|KG|CM|MM|HZ|KW|AM|PM|KM|UA|BC|AD|CE|OR|AND|IN|TO)[A-Z]{2}(?![\w/])|\d{3} \d{2}(?= "
    + CAPITAL
    + r"))"
)
STREET_WORDS = frozenset(words_of("street_words"))
STREET_ENDS = tuple(words_of("street_ends"))
WORDS_ELSEWHERE = ("via", "place", "pl", "al", "os", "c.", "c/", "av", "cours", "quai", "route", "strada", "p")
LABEL_STEMS = (
    "address",
    "direcci",
    "domicil",
    "anschrift",
    "adress",
    "wohn",
    "indirizz",
    "liv",
    "resid",
    "vive",
    "locat",
    "moved",
    "office",
    "deliver",
    "meet",
)
NUMBERED = re.compile(
    rf"(?<![\w.,/-])\d{{1,6}} \d{{1,5}} (?:{NAME}(?: |(?=\W|$))){{1,4}}|(?<![\w.,/-])\d{{1,6}} (?:{NAME} ){{1,4}}\d{{1,5}}[A-Ra-rT-Zt-z]?(?![\w%]|[.,:/]\d| (?:mg|ml|cm|mm)\b)"
    rf"|(?:{NAME} (?:(?:{LINK}) )*){{1,6}}?(?:{NAME})?,? ?s/n(?!\w)"
)
STATES = r"(?:A[LKSZR]|C[AOT]|D[EC]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY]|AP|AA|AE|APO|NSW|VIC|QLD)"
NUMBERED_BEFORE = re.compile(r"(?:^|[\s:,(])(\d{1,6}[ ]?[,]?[ ])$")
LABEL = re.compile(
    r"(?:(?:(?:street|home|postal|mailing|billing|shipping|correspondence|delivery|work|current|new|his|her|my|their)? ?address(?:es)?(?: is| to)?|direcci[óo]n|domicilio|anschrift|adresse|wohnhaft(?: in)?|indirizzo|domicile)\s*[:=]\s*|(?:address is|lives? (?:at|on)|residing at|resides at|reside en|vive en|wohnt (?:in der|am|im)|located at|moved to|office is at|deliver(?:ed)? to|address (?:with|to(?: the same:)?)|meet you at) )(?=[^\n]{0,60}\d)",
    re.IGNORECASE,
)
LINE = re.compile(
    r"\s*[^\n]{3,90}?(?=\.?\s*$|\.\s|[;\n?!]| for this| after | for post| tomorrow| last | and (?:my|the|his|her)\b| E-?mail| Tel|\(|, (?:and|my|the|who)\b)",
    re.MULTILINE | re.IGNORECASE,
)
MORE = re.compile(
    rf"[\s,;.()?–|-]{{1,12}}(?:(?i:apt|suite|ste|unit|box|flat|floor)\.?[ ]?#?\d{{1,5}}\w?|(?:[A-Z]{{1,3}}-)?\d{{3,7}}(?:[- ]\d{{2,4}})?(?:[ ][A-Z]{{2}})?(?![\w%])|[A-Z]{{1,2}}\d[A-Z\d]?[ ]?\d[A-Z]{{2}}|{STATES}(?!\w)|nan(?!\w)|[A-Z]{{2}}(?=\n|$|[ ]+\d))(?!\w)"
)


def look(page: Page) -> Iterator[Span]:
    """Streets with house numbers and what follows them, secondary units, postcodes beside a town, labelled lines."""
    if not page.numbered:
        return
    text = page.text
    reached = 0
    for start, end in page.around(STREETS, 72, 96):
        for one in STREET.finditer(text, start, end):
            if len(one.group()) < 6 or one.start() < reached:
                continue
            sure = any(map(str.isdigit, one.group())) or "s/n" in one.group()
            if not sure and one.group()[0].islower() and one.group().startswith(WORDS_ELSEWHERE):
                continue
            reached = _grown(text, one.end())
            yield Span(_begin(text, one.start()), reached, "ADDRESS", 0.75 if sure else 0.5)
    reached = 0
    for one in NUMBERED.finditer(text):
        if one.start() >= reached:
            reached = _grown(text, one.end())
            yield Span(one.start(), reached, "ADDRESS", 0.6)
    reached = 0
    for one in SECONDARY.finditer(text):
        if one.start() >= reached:
            reached = _grown(text, one.end())
            yield Span(one.start(), reached, "ADDRESS", 0.6)
    for one in ZIP.finditer(text):
        yield Span(one.start(), one.end(), "POSTCODE", 0.6 if _placed(text, one) else 0.5)
    for start, end in page.around(LABELS, 24, 60):
        for one in LABEL.finditer(text, start, end):
            line = LINE.match(text, one.end())
            if line and any(map(str.isdigit, line.group())):
                begin = line.start() + len(line.group()) - len(line.group().lstrip())
                yield Span(begin, line.end(), "ADDRESS", 0.7)


def _street(word: str) -> bool:
    return word in STREET_WORDS or (len(word) > 5 and word.endswith(STREET_ENDS))


def _labels(word: str) -> bool:
    return word.startswith(LABEL_STEMS)


STREETS, LABELS = role(_street), role(_labels)


def _begin(text: str, start: int) -> int:
    """A number right before the street belongs to it."""
    before = NUMBERED_BEFORE.search(text, max(0, start - 9), start)
    return before.start(1) if before else start


def _grown(text: str, end: int) -> int:
    """Where an address ends that goes on with units, postcodes and states."""
    while True:
        more = MORE.match(text, end)
        if not more or "\n\n\n" in more.group():
            return end
        end = more.end()


def _placed(text: str, zip: re.Match[str]) -> bool:
    return not zip.group()[0].isdigit() or text[max(0, zip.start() - 2) : zip.start()] in {"\n", ", ", ". "}

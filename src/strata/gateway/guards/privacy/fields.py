"""Values that a form or a sentence names before it gives them: "MRN: 48210", "mi pasaporte es …", "Sexo: H".

The word says what the value is, so that also numbers and codes without a form of their own are found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from strata.gateway.guards.privacy.page import Page, role, words_of
from strata.gateway.guards.privacy.spans import Span

NUMBER_OF = r"(?:\W{0,2}(?:no|nos|nr|num|number|n[úu]mero|nummer|n[º°o]|id|identifier|code|c[óo]digo|#)\b\.?[º°]?)?"
IS = r"(?:\s*(?:[:=#]|->|\bis\b|\bes\b|\best\b|\bist\b|\blautet\b|\bwas\b|\bof\b|\bè\b)\s*:?|\s)\s*[\"'*_]{0,2}"
CODE = r"(?P<value>(?=[A-Za-z/._ -]{0,12}\d)[A-Za-z0-9]+(?:[-./_ ]{1,2}(?=[A-Za-z]{0,3}\d)[A-Za-z0-9]+)*)"

CODES: tuple[tuple[str, str, float], ...] = (
    (
        "MEDICAL_RECORD",
        (
            r"mrn|medical record|patient (?:id|no|number|identifier|account)|chart|hospital (?:number|no|id)|nhc|n\.?h\.?c|historia(?: cl[íi]nica)?"
            r"|expediente|cipa|episodio|episode|encounter|admission|visit (?:id|no|number)|accession|specimen|patienten(?:nummer|-?id|-?nr)|fall(?:nummer|-?nr)"
            r"|aufnahmenummer|case (?:no|number|id)|study id|subject(?: id| no)?|nhs|dossier|record (?:no|number|id)|cartella"
        ),
        0.85,
    ),
    (
        "HEALTH_PLAN",
        (
            r"health plan|insurance|insured|member(?:ship)?|policy|beneficiary|medicaid|medicare|subscriber|group (?:no|number|id)|nass|nuss|nss"
            r"|seguridad social|afiliaci[óo]n|tarjeta sanitaria|p[óo]liza|cip|sip|versicher(?:ten|ungs)?(?:nummer|-?nr|schein)?|krankenkassen?(?:nummer)?|kvnr|police"
        ),
        0.85,
    ),
    (
        "ACCOUNT",
        (
            r"account|acct|a/c|cuenta|konto(?:nummer|-?nr)?|compte|conto|sort code|routing|aba|swift|bic|customer|client|kunden(?:nummer|-?nr)|cliente|employee"
            r"|personal(?:nummer|-?nr)|mitarbeiter(?:nummer)?|empleado|user id|student id|matrikel(?:nummer|-?nr)|loyalty|frequent flyer|booking|reservation|wallet"
        ),
        0.75,
    ),
    (
        "NATIONAL_ID",
        (
            r"ssn|social security|soc sec|national id(?:entity|entification)?|identity card|id card|nino|national insurance|dni|nie|nif|c[ée]dula|documento(?: de identidad)?"
            r"|(?:personal)?ausweis(?:nummer|-?nr)?|sozialversicherung\w*|rentenversicherung\w*|aadhaar|pesel|personnummer|cpf|curp|government id|carte d'identit[ée]"
        ),
        0.85,
    ),
    (
        "TAX_ID",
        r"tax(?:payer)? ?(?:id|no|number|file)?|tin|itin|ein|vat|steuer(?:-?id|nummer|-?nr)?|idnr|ust-?id\w*|cif|rfc|partita iva|codice fiscale|nip|abn|tfn",
        0.8,
    ),
    ("PASSPORT", r"passport|pasaporte|reisepass(?:nummer|-?nr)?|passeport|passaporto|paszport", 0.9),
    (
        "DRIVER_LICENCE",
        r"driver'?s?'? ?licen[cs]e|driving licen[cs]e|dl|permiso de conducir|carn[ée] de conducir|licencia de conducir|f[üu]hrerschein(?:nummer|-?nr)?|permis de conduire|patente",
        0.9,
    ),
    (
        "LICENCE",
        r"licen[cs]e|licencia|certificate|n[ºo°]? ?col(?:egiad[oa])?|colegiad[oa]|dea|npi|gmc|nmc|upin|approbation\w*|lanr|bsnr|registration|matr[íi]cula profesional",
        0.75,
    ),
    (
        "VEHICLE",
        r"licen[cs]e plate|number plate|plate|tag|vin|matr[íi]cula|kennzeichen|vehicle(?: registration)?|chassis|fahrgestell\w*",
        0.75,
    ),
    ("DEVICE", r"serial|imei|imsi|udi|device|serien(?:nummer|-?nr)|n[úu]mero de serie|s/n|implant", 0.75),
    ("CREDIT_CARD", r"(?:credit |debit )?card|tarjeta|kreditkarte|cvv2?|cvc|csc|security code|pin", 0.75),
    ("PHONE", r"pager|beeper|phone|tel[ée]?f?\w*\.?|tlf\.?|tfno\.?|fax|mobile|cell|m[óo]vil|handy|busca", 0.7),
    ("POSTCODE", r"zip(?: ?code)?|post(?:al)? ?code|c\.?p\.?|c[óo]digo postal|plz|postleitzahl|code postal|cap", 0.85),
)

LABEL = re.compile(
    r"(?<![^\W\d_])(?:"
    + "|".join(f"(?P<{kind}>{words})" for kind, words, _ in CODES)
    + rf")(?!['’]?[^\W\d_]){NUMBER_OF}(?:\s?\([^)\n]{{1,20}}\))?{IS}",
    re.IGNORECASE,
)
VALUE = re.compile(CODE)
POSTAL = re.compile(r"(?:[A-Z]{1,3}[- ]?)?\d\w{1,7}(?:[- ]\d\w{0,3}(?!\w))?(?: [A-Z]{2,3}(?!\w))?", re.IGNORECASE)
SCORES = {kind: score for kind, _, score in CODES}

SEX = re.compile(
    r"(?<!\w)(?:sexo?|gender|g[ée]nero|geschlecht)(?:\s+(?:is|es|ist))?\s*[:=]?\s*(?P<value>h|m|v|f|w|d|x|males?|females?|hombre|mujer|var[óo]n|masculin[oa]|femenin[oa]|m[äa]nnlich|weiblich|divers|non-binary|man|woman)(?!\w)",
    re.IGNORECASE,
)
SEX_BY_AGE = re.compile(
    r"(?<!\w)(?P<before>hombre|mujer|var[óo]n|niñ[oa]|chic[oa]|patiente?|male|female|man|woman|boy|girl|mann|frau|patientin)"
    r"(?=,? (?:de |of |aged |con |mit )?(?:\w+ )?(?:\d{1,3}|un|dos|tres|\w{4,12}) (?:a[ñn]os?|meses|d[íi]as|years?|months?|jahren?))"
    r"|(?:a[ñn]os|year|years|yr|y)(?:[- ]old|/?o)?,? (?:de edad,? )?(?P<after>male|female|man|woman|boy|girl|gentleman|lady|var[óo]n|mujer|hombre)(?!\w)"
    r"|(?<!\w)(?:paciente|patient|sexo|lactante|adolescente),? (?:del? )?(?:sexo )?(?P<patient>var[óo]n|mujer|hombre|masculin[oa]|femenin[oa]|male|female)(?!\w)",
    re.IGNORECASE,
)
USER = re.compile(
    r"(?<!\w)(?:user ?name|login|log-in|benutzername|usuario|nombre de usuario|handle|screen name|skype|twitter|instagram|telegram)(?:\s*[:=]\s*|\s+(?:is|es|ist)\s+)(?P<value>[^\s,;]{3,40}[^\s,;.)])",
    re.IGNORECASE,
)
WORK = re.compile(
    r"(?<!\w)(?:(?:occupation|profession|job title|job|position|role|profesi[óo]n|ocupaci[óo]n|puesto|cargo|oficio|beruf|t[äa]tigkeit)\s*[:=]\s*(?P<field>[^\n,;.()]{3,50})"
    r"|(?:works?|worked|working|job|employed|career|retired) (?:as|of) (?:an? |the )?(?P<en>[a-z][a-z -]{2,40}?)(?= (?:at|in|for|with|and|who|but|from|by|on)\b|[,.;)\n]|$)"
    r"|(?:trabaja|trabajaba|trabaj[óo]|trabajando|empleos? \w+|profesi[óo]n|dedica|dedicaba) (?:como|de|a la|en el|al|a las?) (?P<es>[a-záéíóúñ][a-záéíóúñ ]{2,40}?)(?= (?:en|que|y|con|desde|durante|hasta)\b|[,.;)\n]|$)"
    r"|(?:arbeitet|arbeitete|t[äa]tig|beruf) (?:als) (?:eine?r? )?(?P<de>[A-ZÄÖÜ][a-zäöüß]+(?: [A-ZÄÖÜ][a-zäöüß]+)?))",
    re.IGNORECASE,
)


NAME = re.compile(
    r"(?<!\w)(?:(?:(?:full|first|last|middle|given|family|maiden|patient|customer|client|user|employee|account|contact|beneficiary|holder|cardholder|tenant|applicant|insured|father|mother|doctor|physician|provider|emergency contact)'?s? ?)*name"
    r"|surname|patient|attending(?: physician)?|referring(?: physician)?|physician|doctor|surgeon|provider|contact(?: person)?|signed(?: by)?|next of kin|witness|guardian|applicant|tenant|landlord|insured|policyholder|cardholder|beneficiary|sender|recipient"
    r"|nombre(?: y apellidos| completo)?|apellidos?|paciente|m[ée]dic[oa](?: responsable)?|doctora?|titular|firmado(?: por)?|remitido por|responsable(?: cl[íi]nico)?|cliente|asegurado|beneficiario|destinatario|remitente"
    r"|vorname|nachname|familienname|geburtsname|patient(?:in)?|arzt|ärztin|ansprechpartner(?:in)?|kunde|kundin|inhaber(?:in)?|empf[äa]nger(?:in)?|absender(?:in)?|unterzeichner(?:in)?|nom|pr[ée]nom|cognome|nome|apelido|sobrenome|naam|voornaam|achternaam)"
    r"\s?:[ \t]{0,3}(?:(?:dr|dra|prof|mr|mrs|ms|sr|sra|herr|frau)\b\.?\s?){0,2}(?P<value>[^\W\d_a-z][^\W\d_]*(?:[ .'’-]{1,2}(?!n[ºo°]|E-?mail|Tel|Edad|Age\b|Sex|DOB|Date|Fecha)[^\W\d_]+){0,5})(?!\w|:)",
    re.IGNORECASE,
)
TITLED = re.compile(
    r"(?<!\w)(?P<value>(?:(?:Mr|Mrs|Ms|Miss|Mx|Dr|Dra|Drs|Prof|Sr|Sra|Srta|Don|Doña|Herr|Frau|Mme|Mlle|Monsieur|Madame|Sir|Lady|Signor|Signora|Señor|Señora|Rev|Capt|Sgt|Lt|Judge|mr|mrs|ms|dr)\b\.?[ ]?){1,2}"
    r"[A-ZÀ-ÖØ-Þ][^\W\d_]*(?:(?:[ ](?:de|del|de la|van|von|van der|di|da|dos)[ ]|[ -]|\. )[A-ZÀ-ÖØ-Þ][^\W\d_]+){0,4})"
)
DESCRIBED = (
    (tuple(words_of("titles")), TITLED, "PERSON", 0.65),
    (
        tuple(words_of("person_labels")),
        NAME,
        "PERSON",
        0.6,
    ),
    (("sex", "gender", "gén", "gen", "geschlecht"), SEX, "SEX", 0.7),
    (
        (
            "hombre",
            "mujer",
            "var",
            "niñ",
            "chic",
            "male",
            "female",
            "man",
            "woman",
            "boy",
            "girl",
            "mann",
            "frau",
            "patientin",
            "gentleman",
            "lady",
            "masculin",
            "femenin",
        ),
        SEX_BY_AGE,
        "SEX",
        0.6,
    ),
    (
        (
            "user",
            "login",
            "log",
            "benutzer",
            "usuario",
            "handle",
            "screen",
            "skype",
            "twitter",
            "instagram",
            "telegram",
        ),
        USER,
        "USERNAME",
        0.8,
    ),
    (
        (
            "occupation",
            "profes",
            "job",
            "position",
            "role",
            "ocupa",
            "puesto",
            "cargo",
            "oficio",
            "beruf",
            "tätig",
            "work",
            "employed",
            "career",
            "retired",
            "trabaj",
            "emple",
            "dedica",
            "arbeit",
        ),
        WORK,
        "PROFESSION",
        0.6,
    ),
)
_STEMS = words_of("labels")
SHORT = frozenset(stem for stem in _STEMS if len(stem) < 4)
STEMS = tuple(stem for stem in _STEMS if len(stem) >= 4)


def look(page: Page) -> Iterator[Span]:
    """Values with their name before them."""
    for start, end in page.around(NAMES_OF_VALUES, 24, 72, page.words.get("0", ()), range(1, 11)):
        yield from _labelled(page.text, start, end)
    yield from _described(page)


def _named(word: str) -> bool:
    return word in SHORT or word.startswith(STEMS)


NAMES_OF_VALUES = role(_named)


def _labelled(text: str, start: int, stop: int) -> Iterator[Span]:
    for label in LABEL.finditer(text, start, stop):
        kind = label.lastgroup or ""
        value = (POSTAL if kind == "POSTCODE" else VALUE).match(text, label.end())
        if not value:
            continue
        end = _end(value.group(), kind)
        if sum(map(str.isdigit, value.group()[:end])) < (3 if kind in {"PHONE", "CREDIT_CARD", "POSTCODE"} else 4):
            continue
        if ":" not in label.group() and " is" not in label.group() and SCORES[kind] < 0.8 and end < 5:
            continue
        yield Span(value.start(), value.start() + end, kind, SCORES[kind])


def _end(value: str, type: str) -> int:
    """Where the value stops being one: a postcode has few signs, and a word that follows is not part of a number."""
    if type == "POSTCODE":
        return len(value[:10].rstrip(" -./"))
    return len(value)


def _starts(stems: tuple[str, ...], word: str) -> bool:
    return word.startswith(stems)


DESCRIPTIONS = tuple((role(partial(_starts, stems)), pattern, kind, score) for stems, pattern, kind, score in DESCRIBED)


def _described(page: Page) -> Iterator[Span]:
    text = page.text
    for number, pattern, kind, score in DESCRIPTIONS:
        for start, end in page.around(number, 40, 64):
            for one in pattern.finditer(text, start, end):
                yield Span(*one.span(one.lastgroup or 0), kind, score)

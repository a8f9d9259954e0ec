"""What a sentence is about, as terms that can be compared: word stems, numbers, names and codes.

Questions and documents go through the same reduction, so a light stemmer that errs the same way on both sides is
enough. English and German are known; any other language is compared by whole words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

TermKind = Literal["word", "light", "name", "code", "number"]

_STOP = {
    "en": """a about above after again against all also am an and any are as at be because been before being below
    between both but by can could did do does doing down during each either few for from further had has have having he
    her here hers him his how i if in into is it its itself just me more most my no nor not now of off on once only or
    other our ours out over own per please same shall she should so some such than that the their theirs them then
    there these they this those through to too under until up upon us very via was we were what whatever when where
    whether which while who whom whose why will with within without would you your yours tell explain know let much many
    must may might cannot don't doesn't isn't aren't what's it's there's i'd i'm we're according regarding concerning
    hello hi thanks thank ok okay yes
    """,
    "de": """aber alle allem allen aller alles als also am an ander andere anderen auch auf aus bei beim bin bis bist da
    dabei damit danach dann das dass dazu dein deine dem den denn der des dessen die dies diese diesem diesen dieser
    dieses doch dort du durch ein eine einem einen einer eines er es etwas euch euer für gegen hab habe haben hat hatte
    hatten hier hin ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im in ins ist ja jede jedem jeden jeder jedes jetzt
    kann kein keine keinem keinen keiner können könnte mal man mein meine mich mir mit muss müssen nach nicht noch nun
    nur ob oder ohne sehr sein seine seinem seinen seiner seit sich sie sind so soll sollen sollte sowie um und uns
    unser unsere unter vom von vor während war waren warum was weil welche welchem welchen welcher welches wenn wer werde
    werden wie wieso wieviel wird wo wurde wurden zu zum zur zwischen über bitte darf dürfen wann womit wofür wohin wem
    wen viel viele laut gemäß gibt geben hallo danke
    """,
}

# Words that shape a question more than they say what it is about: that one of them is missing proves little.
_LIGHT = {
    "en": """allow allowed apply applies available become begin call called case cases come company consider current
    describe detail details document documents done exact exactly expect expected find follow following general get give
    given go happen happens held help important include included information involve involved keep kept kind last latest
    list long longest main make maximum mean means mention mentioned minimum name named need needed needs new normally
    number often old one order part people person place possible provide question recommend recommended refer required
    require requires responsible result rule rules say says second section set show shown specific start state stated
    still take taken takes talk thing things time times type typical usual usually use used using value want way work
    works year
    """,
    "de": """angeben beginnen benötigt beschreiben bestimmte brauchen braucht dauern dauert dokument dokumente erfolgen
    erfolgt erforderlich erhalten erlaubt fall finden firma folgende fragen führen gelten geltend gilt genau genannt
    grund gültig heißt information informationen insgesamt jahr lang lange liegt machen maximal minimal mindestens
    möglich muß nennen neu notwendig nutzen person regel regeln sagen sagt stehen steht stellen teil tun unternehmen
    verwenden verwendet vorgesehen wert wichtig wissen zahl zeit übernehmen zuständig
    """,
}

_NUMBER_WORDS = {
    "en": "zero - two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen twenty",
    "de": "null - zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn"
    " achtzehn neunzehn zwanzig",
}
_MORE_NUMBERS = {
    "en": {"thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "ninety": "90", "hundred": "100", "twice": "2"},
    "de": {"dreißig": "30", "vierzig": "40", "sechzig": "60", "neunzig": "90", "hundert": "100", "zweimal": "2"},
}
_NUMBERS: dict[str, dict[str, str]] = {
    language: {word: str(value) for value, word in enumerate(words.split()) if word != "-"} | _MORE_NUMBERS[language]
    for language, words in _NUMBER_WORDS.items()
}
_STOPS = {language: frozenset(text.split()) for language, text in _STOP.items()}
_NEGATIONS = {
    "en": frozenset("no not never none neither nor without cannot don't doesn't isn't aren't mustn't shouldn't".split()),
    "de": frozenset("nicht kein keine keinen keinem keiner nie niemals ohne weder".split()),
}
_SUFFIXES = {
    "en": (
        "izations ization isations isation ations ation ements ement ments ment nesses ness ated ates ating ate ages age"
        " izing ized izes ize ising ised ises ise ings ing edly ied ies ed es ers er ly s y e"
    ).split(),
    "de": "ungen ung keiten keit heiten heit ern em en er es nd st te ten tes e s n t".split(),
}

_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?", re.UNICODE)
_CODE = re.compile(r"(?<![\w-])(?=[\w./-]*\d)(?=[\w./-]*[A-Za-z])[A-Za-z0-9]+(?:[-./][A-Za-z0-9]+)*(?!\w)")
_MEASURE = re.compile(r"^\d+(?:[.,]\d+)*(?:[a-zµ%°]+)$")
_WORDS_JOINED = re.compile(r"^[A-Za-z]{3,}(?:-[A-Za-z]{3,})*-\d{1,2}$|^\d{1,4}-[a-z]+(?:-[a-z]+)*$")


@dataclass(frozen=True, slots=True)
class Term:
    """One comparable word: its key, what kind of word it is and how it was written."""

    key: str
    kind: TermKind
    text: str


def terms(text: str, language: str = "en") -> list[Term]:
    """The terms of a text in order, stop words left out."""
    stops = _STOPS.get(language, frozenset())
    numbers = _NUMBERS.get(language, {})
    found: list[Term] = []
    opening = True
    for written, code in _pieces(unicodedata.normalize("NFKC", text)):
        if written in ".!?:\n":
            opening = True
            continue
        low = written.lower().replace("’", "'")
        if code:
            found.append(Term(re.sub(r"[-./]", "", low), "code", written))
        elif written[0].isdigit():
            found.append(Term(number(written, language), "number", written))
        elif low in numbers:
            found.append(Term(numbers[low], "number", written))
        elif low not in stops and len(low) > 1:
            found.append(Term(stem(low, language), _kind(written, low, language, opening=opening), written))
        opening = False
    return found


def keys(text: str, language: str = "en") -> frozenset[str]:
    """The keys of all terms of a text."""
    return frozenset(term.key for term in terms(text, language))


def numbers(text: str, language: str = "en") -> frozenset[str]:
    """The numbers of a text, in one notation: "1,000" and "1000" are the same, and so are "two" and "2"."""
    return frozenset(term.key for term in terms(text, language) if term.kind == "number")


def negated(text: str, language: str = "en") -> bool:
    """Whether a text says that something is not so."""
    words = {word.lower().replace("’", "'") for word in re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)?", text)}
    return bool(words & _NEGATIONS.get(language, _NEGATIONS["en"])) or "non-" in text.lower()


def matches(key: str, others: Iterable[str]) -> float:
    """How well a term's key is met among others: 1 for the same, 0.8 for a word that grew from the same root, else 0."""
    pool = others if isinstance(others, frozenset | set) else frozenset(others)
    if key in pool:
        return 1.0
    if len(key) < 5 or any(letter.isdigit() for letter in key):
        return 0.0
    return 0.8 if any(_akin(key, other) for other in pool) else 0.0


def number(written: str, language: str = "en") -> str:
    """A number in one notation: a dot for decimals, nothing for thousands, no idle zeros."""
    thousands, decimal = (".", ",") if language == "de" else (",", ".")
    text = re.sub(rf"{re.escape(thousands)}(?=\d{{3}}(?!\d))", "", written)
    text = text.replace(decimal, ".").replace(",", ".")
    whole, dot, rest = text.partition(".")
    rest = rest.rstrip("0")
    whole = whole.lstrip("0") or "0"
    return f"{whole}.{rest}" if dot and rest else whole


@lru_cache(maxsize=65536)
def stem(word: str, language: str = "en") -> str:
    """The word without its common endings; British and American spellings, and umlauts, fall together."""
    folded = word.removesuffix("'s").replace("ß", "ss")
    folded = unicodedata.normalize("NFD", folded)
    folded = "".join(letter for letter in folded if not unicodedata.combining(letter))
    if language == "en":
        folded = folded.replace("ae", "e").replace("oe", "e").replace("our", "or")
    suffixes = _SUFFIXES.get(language, [])
    for _ in range(2):
        for suffix in suffixes:
            if folded.endswith(suffix) and len(folded) - len(suffix) >= (4 if len(suffix) > 3 else 3):
                folded = folded[: -len(suffix)]
                break
        else:
            break
    if len(folded) > 3 and folded[-1] == folded[-2] and folded[-1] not in "lsz":
        folded = folded[:-1]
    return folded


def _pieces(text: str) -> Iterable[tuple[str, bool]]:
    """Words, numbers and sentence ends as written; codes such as `AB-12/3` stay whole and are marked."""
    codes = {match.start(): match.group() for match in _CODE.finditer(text) if _is_code(match.group())}
    place = 0
    for match in re.finditer(rf"{_TOKEN.pattern}|[.!?:\n]", text):
        if match.start() < place:
            continue
        code = codes.get(match.start())
        if code:
            place = match.start() + len(code)
            yield code, True
        else:
            yield match.group(), False


def _is_code(written: str) -> bool:
    return not _MEASURE.match(written) and not _WORDS_JOINED.match(written)


def _kind(written: str, low: str, language: str, *, opening: bool) -> TermKind:
    if len(written) > 1 and written.isupper():
        return "name"
    if written[0].isupper() and not opening and language != "de":
        return "name"
    return "light" if stem(low, language) in _light(language) else "word"


@lru_cache(maxsize=8)
def _light(language: str) -> frozenset[str]:
    return frozenset(stem(word, language) for word in _LIGHT.get(language, "").split())


@lru_cache(maxsize=65536)
def _akin(one: str, other: str) -> bool:
    """Two stems that share their beginning: at least five letters, and most of the shorter one."""
    shorter = min(len(one), len(other))
    if shorter < 5 or one[:4] != other[:4]:
        return False
    shared = next((i for i in range(shorter) if one[i] != other[i]), shorter)
    return shared >= 5 and shared >= 0.75 * shorter

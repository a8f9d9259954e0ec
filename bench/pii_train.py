"""Learns the weights of the name tagger: python bench/pii_train.py WEIGHTS --claims CLAIMS.tsv.

It learns from three kinds of text. Sentences of `bench/pii/templates.txt`, written for this project, are filled at random
with the tagger's own word lists, some names altered so that no list knows them: it has to learn the words around a name
and not only the names. Descriptions of the installed packages under permissive licences, and SciFact's training claims
(`queries_train.tsv`: number, tab, claim; CC BY 4.0), are texts without people. No labelled collection is among them;
only the list of ordinary words has counts of one behind it (`lexicon/README.md`). The seeds are fixed: the same lists,
templates and installed packages give the same weights.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from email.message import Message
from importlib.metadata import distributions
from pathlib import Path
from typing import NamedTuple, cast

from strata.gateway.guards.privacy import names, page

ROUNDS, WIDTH = 5, 4
SEEDS = (7, 8, 9)
"""The weights are the mean of one run with each seed, which draws its own sentences."""
LEAST = 1.0
"""How far the weights of a clue differ at least for it to be kept."""
COPIES, COPIES_A_CHOICE, MOST_COPIES = 30, 15, 90
"""How often a template is filled: the more it leaves to choose, the more often."""
UNLISTED = 0.22
"""Share of the names and of the capitalised other words that are altered so that no list knows them."""
HIDDEN = 0.75
"""Share of the words whose neighbours are hidden while learning, so that the word alone is learnt from too."""
PASSAGES, PASSAGE = 12, 600
"""Passages taken of one package's description, and the length in characters at which a passage ends."""

TEMPLATES = Path(__file__).parent / "pii" / "templates.txt"
LISTS = ("given", "family", "places", "countries", "words", "professions")
CHOICE = re.compile(r"<([^<>]*\|[^<>]*)>")
SLOT = re.compile(r"\{(\w+)\}")
LABELS = {"P": "P", "F": "P", "S": "P", "L": "L", "C": "L", "A": "L", "G": "G"}
PERMISSIVE = re.compile(r"\b(?:MIT|BSD|Apache|ISC|PSF)\b", re.IGNORECASE)
STRANGE = {"drug", "disease", "sign", "product"}
"""Lists of the templates whose words are altered now and then: not each unknown word with a capital is a name."""
NAMED = page.GIVEN | page.FAMILY | page.PLACE | page.COUNTRY


class Example(NamedTuple):
    """A text, its names (start, end, tag), and whether other words that look like names may be names as well."""

    text: str
    spans: list[tuple[int, int, str]]
    unsure: bool


Prepared = tuple[list[page.Token], list[str], list[str]]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("weights", type=Path)
    arguments.add_argument("--claims", type=Path, required=True)
    options = arguments.parse_args()
    claims = [line.partition("\t")[2] for line in options.claims.read_text(encoding="utf-8").splitlines()]
    plain = [Example(text, [], True) for text in [*claims, *descriptions()]]
    print(f"{len(claims)} claims, {len(plain) - len(claims)} passages of packages")
    table: dict[str, list[float]] = defaultdict(lambda: [0.0] * WIDTH)
    for seed in SEEDS:
        chance = random.Random(seed)
        made = list(Maker(TEMPLATES, chance).examples())
        print(f"{len(made)} sentences from templates", flush=True)
        for clue, row in learn([ready(varied(example, chance)) for example in made + plain], chance).items():
            table[clue] = [have + weight / len(SEEDS) for have, weight in zip(table[clue], row, strict=True)]
    lines = [
        f"{clue}\t{' '.join(str(round(weight * 16)) for weight in row)}"
        for clue, row in sorted(table.items())
        if max(row) - min(row) > LEAST
    ]
    options.weights.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{options.weights}: {len(lines)} clues")


def descriptions() -> Iterator[str]:
    """Passages of the descriptions of installed packages that name a permissive licence, in the order of their names."""
    found = {}
    for package in distributions():
        about = cast(Message, package.metadata)
        licence = " ".join(
            [about.get("License-Expression") or (about.get("License") or "")[:80], *(about.get_all("Classifier") or [])]
        )
        if PERMISSIVE.search(licence) and about["Name"].lower() != "strata":
            found[about["Name"].lower()] = str(about.get_payload() or about.get("Description") or "")
    for _, text in sorted(found.items()):
        passage, taken = "", 0
        for paragraph in re.split(r"\n\s*\n", text):
            passage += paragraph.strip() + "\n\n"
            if len(passage) >= PASSAGE:
                yield passage[: 2 * PASSAGE]
                passage, taken = "", taken + 1
            if taken == PASSAGES:
                break


class Maker:
    """Fills the templates: `{P}` a person, `{F}` a first name, `{S}` a surname, `{L}` a place, `{C}` a country, `{G}` an
    organisation, `{A}` a street, `{D}` a date, `{N}` a number, `{x}` a word, `{X}` and `{UPPER}` the same with capitals,
    `{ABBR}` an abbreviation, `{W}` a trade, `{list}` a line `=list: one|two`; `<one|two>` is a choice.
    """

    def __init__(self, path: Path, chance: random.Random) -> None:
        self.chance = chance
        self.lists = {name: page.words_of(name) for name in LISTS}
        self.templates: list[str] = []
        self.own: dict[str, list[str]] = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("="):
                name, _, listed = line[1:].partition(": ")
                self.own[name] = listed.split("|")
            elif not line.startswith("# ") or "{" in line:
                self.templates.append(line.replace("\\n", "\n").replace("\\t", "\t"))
        self.makers: dict[str, Callable[[], str]] = {
            "P": self.person,
            "F": lambda: self.pick("given"),
            "S": self.family,
            "L": lambda: self.pick("places"),
            "C": lambda: self.pick("countries"),
            "G": self.organisation,
            "A": self.street,
            "D": self.date,
            "N": lambda: str(chance.randint(1, 10 ** chance.randint(1, 8))),
            "W": lambda: chance.choice(self.lists["professions"]).title(),
            "X": lambda: self.pick("words").capitalize(),
            "ABBR": lambda: "".join(chance.choices("ABCDEFGHIKLMNOPRSTUVX", k=chance.randint(2, 5))),
            "x": lambda: chance.choice(self.lists["words"]),
            "UPPER": lambda: chance.choice(self.lists["words"]).upper(),
        }

    def examples(self) -> Iterator[Example]:
        for template in self.templates:
            choices = len(CHOICE.findall(template)) + template.count("{x}") // 4 + template.count("{noun}") // 2
            for _ in range(min(MOST_COPIES, COPIES + COPIES_A_CHOICE * choices)):
                yield self.fill(CHOICE.sub(lambda found: self.chance.choice(found[1].split("|")), template))

    def fill(self, template: str) -> Example:
        text, at = "", 0
        spans: list[tuple[int, int, str]] = []
        for slot in SLOT.finditer(template):
            text += template[at : slot.start()]
            own = self.own.get(slot[1])
            value = self.chance.choice(own) if own else self.makers[slot[1]]()
            if slot[1] in STRANGE and self.chance.random() < UNLISTED:
                value = altered(value, self.chance)
            if slot[1] in LABELS:
                spans.append((len(text), len(text) + len(value), LABELS[slot[1]]))
            text += value
            at = slot.end()
        return Example(text + template[at:], spans, False)

    def pick(self, name: str) -> str:
        word = self.chance.choice(self.lists[name])
        if name != "countries" and self.chance.random() < UNLISTED:
            word = altered(word, self.chance)
        return word.title().replace("'S", "'s").replace("’S", "’s")

    def family(self) -> str:
        return self.pick("family") + (f"-{self.pick('family')}" if self.chance.random() < 0.08 else "")

    def initial(self) -> str:
        return self.chance.choice("ABCDEFGHIJKLMNOPRSTVWZ")

    def person(self) -> str:
        given, last = self.pick("given"), self.family()
        particle = self.chance.choice(["de", "van", "von", "de la", "van der", "di", "del", "da", "dos", "bin", "al"])
        forms = {
            f"{given} {last}": 46,
            f"{given} {self.initial()}. {last}": 7,
            f"{given} {self.initial()} {last}": 3,
            f"{self.initial()}. {last}": 5,
            f"{self.initial()}.{self.initial()}. {last}": 2,
            f"{last} {self.initial()}": 2,
            f"{given} {self.pick('given')} {last}": 8,
            f"{given} {last} {self.family()}": 12,
            f"{given}-{self.pick('given')} {last}": 2,
            f"{given} {particle} {last}": 6,
            f"{given} {last.upper()}": 3,
            f"{given} {last}".upper(): 3,
            f"{last.upper()} {given}": 1,
        }
        return self.chance.choices(list(forms), list(forms.values()))[0]

    def organisation(self) -> str:
        word = self.chance.choice(self.lists["words"]).title() if self.chance.random() < 0.4 else self.family()
        kinds = ["{} Inc.", "{} # GmbH", "{} # Inc.", "{} # S.A.", "{} # Ltd", "{} #", "{} #", "{} Inc", "{} GmbH", "{} Ltd", "{} PLC", "{} S.A.", "{} S.L.", "{} Corporation", "{} & Sons", "{} Group", "{} Bank", "{} AG", "{} LLC", "{} Partners", "{} Technologies", "{} Airlines", "{} Foundation", "{} Institute", "{} Insurance", "Banco {}", "Grupo {}", "Fundación {}", "University of {}", "Universidad de {}", "Hospital {}", "Hospital Universitario {}", "{} Hospital", "Clínica {}", "Klinikum {}", "Universität {}", "Stiftung {}", "Centro de Salud {}", "{} Medical Center", "{} High School", "St. {} Clinic", "{} and {} LLP", "{}, {} and {}", "{}, {} and {}", "{}, {} and {}", "{}, {} and {}", "{}, {} and {}", "{}-{}", "{}-{}", "{}", "{}"]  # fmt: skip
        kind = self.chance.choice(kinds)
        return kind.replace("#", self.chance.choice(self.own["trade"])).format(
            *(word if n == 0 else self.family() for n in range(kind.count("{}")))
        )

    def street(self) -> str:
        number, last = self.chance.randint(1, 300), self.family()
        end = self.chance.choice(["Street", "Road", "Avenue", "Lane", "Drive", "St", "Ave"])
        return self.chance.choice(
            [
                f"{number} {last} {end}",
                f"Calle {self.pick('given')} {last} {number}",
                f"Avenida {last}, {number}",
                f"{last}straße {number}",
                f"{last}weg {number}",
            ]
        )

    def date(self) -> str:
        day, month, year = self.chance.randint(1, 28), self.chance.randint(1, 12), self.chance.randint(1930, 2025)
        return self.chance.choice(
            [f"{day}/{month}/{year}", f"{day:02}.{month:02}.{year}", f"{year}-{month:02}-{day:02}"]
        )


def altered(word: str, chance: random.Random) -> str:
    """A word that looks like a name and stands in no list."""
    at = chance.randrange(len(word))
    vowels = "aeiou"
    put = chance.choice(vowels) if word[at] in vowels else chance.choice("bdfgklmnrstvz")
    return word[:at] + put + word[at + chance.choice([0, 1]) :]


def varied(example: Example, chance: random.Random) -> Example:
    """Now and then in small letters or in capitals, where that keeps the places."""
    drawn = chance.random()
    text = example.text
    other = text.lower() if drawn < 0.08 else text.upper() if drawn < 0.12 else text
    return example._replace(text=other) if len(other) == len(text) else example


def ready(example: Example) -> Prepared:
    """Words, whole names and the right tag of each word; `?` where nothing is known."""
    line = page.tokens(example.text)
    tags = ["O"] * len(example.text)
    for start, end, tag in example.spans:
        tags[start:end] = [tag] * (end - start)
    right = [tags[token.start] for token in line]
    if example.unsure:
        known = [token.bits & NAMED and not token.bits & page.COMMON for token in line]
        right = ["?" if name else tag for name, tag in zip(known, right, strict=True)]
    return line, names.whole_names(line), right


def learn(prepared: list[Prepared], chance: random.Random) -> dict[str, list[float]]:
    now: dict[str, list[float]] = defaultdict(lambda: [0.0] * WIDTH)
    total: dict[str, list[float]] = defaultdict(lambda: [0.0] * WIDTH)
    seen: dict[str, list[int]] = defaultdict(lambda: [0] * WIDTH)
    step = 0
    for turn in range(ROUNDS):
        chance.shuffle(prepared)
        wrong = looked = 0
        for line, whole, right in prepared:
            last, small = "O", names.without_capitals(line)
            for at, token in enumerate(line):
                if not names.candidate(token, small):
                    if token.shape != "." or token.lower not in "-'’.":
                        last = last if token.lower in page.PARTICLES else "O"
                    continue
                if right[at] == "?":
                    last = "O"
                    continue
                clues = names.clues(line, at, last, whole)
                drawn = chance.random()
                if drawn < 0.3:
                    clues = [clue for clue in clues if clue[0] not in "we"]
                elif drawn < HIDDEN:
                    clues = [clue for clue in clues if clue[0] not in "abcdhijkl"]
                scores = [0.0] * WIDTH
                for clue in clues:
                    row = now.get(clue)
                    if row:
                        for tag in range(WIDTH):
                            scores[tag] += row[tag]
                want = names.TAGS.index(right[at])
                if want == 0:
                    scores = [scores[0], *(score + 1.0 for score in scores[1:])]
                else:
                    scores = [
                        score + (4.0 if tag == 0 else 2.0 if tag != want else 0.0) for tag, score in enumerate(scores)
                    ]
                guess = max(range(WIDTH), key=lambda tag: scores[tag])
                step += 1
                looked += 1
                if guess != want:
                    wrong += 1
                    for clue in clues:
                        for tag, change in ((want, 1.0), (guess, -1.0)):
                            total[clue][tag] += (step - seen[clue][tag]) * now[clue][tag]
                            seen[clue][tag] = step
                            now[clue][tag] += change
                last = right[at] if chance.random() < 0.8 else names.TAGS[guess]
        print(f"round {turn + 1}: {wrong} of {looked} within the margin or wrong", flush=True)
    return {
        clue: [(total[clue][tag] + (step - seen[clue][tag]) * row[tag]) / step for tag in range(WIDTH)]
        for clue, row in now.items()
    }


if __name__ == "__main__":
    main()

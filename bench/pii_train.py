"""Learns the weights of the name tagger: python bench/pii_train.py WEIGHTS LABELLED.jsonl [LABELLED.jsonl ...].

Learns from labelled texts (`text`, `spans` of start, end, type) and from the sentences of `bench/pii/templates.txt` filled
with names of the lists, some of them altered so that no list knows them: the tagger has to learn the words around a name
and not only the names. A file whose name holds `silver` has labels of people only; what it leaves unlabelled says
nothing about places and organisations. Never give it a set that figures are measured on.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from strata.gateway.guards.privacy import names, page

PERSON = {"PERSON", "NOMBRE_SUJETO_ASISTENCIA", "NOMBRE_PERSONAL_SANITARIO", "GIVEN_NAME", "SURNAME", "P"}
PLACE = {"GPE", "LOCATION", "TERRITORIO", "PAIS", "CALLE", "STREET_ADDRESS", "CITY", "STATE", "STREET_NAME", "L"}
ORGANISATION = {"ORGANIZATION", "HOSPITAL", "CENTRO_SALUD", "INSTITUCION", "G"}
ROUNDS, COPIES, WIDTH = 5, 20, 4
HIDDEN = 0.75
"""Share of the words whose neighbours are hidden while learning, so that the word alone is learnt from too."""

Example = tuple[str, list[dict[str, Any]], bool]


def main(target: Path, files: list[Path]) -> None:
    chance = random.Random(7)
    examples: list[Example] = []
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            examples.append((row["text"], row["spans"], "silver" in file.name))
    examples += filled(Path(__file__).parent / "pii" / "templates.txt", chance)
    print(f"{len(examples)} texts")
    prepared = [ready(*varied(example, chance)) for example in examples]
    table = learn(prepared, chance)
    lines = [
        f"{clue}\t{' '.join(str(round(weight * 16)) for weight in row)}"
        for clue, row in sorted(table.items())
        if max(row) - min(row) > 0.4
    ]
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{target}: {len(lines)} clues")


def filled(path: Path, chance: random.Random) -> list[Example]:
    lists = {
        name: path.parents[2]
        .joinpath(f"src/strata/gateway/guards/privacy/lexicon/{name}.txt")
        .read_text()
        .split("\n")[:-1]
        for name in ("given", "family", "places", "countries", "words")
    }
    found: list[Example] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        for _ in range(COPIES):
            found.append(fill(line.replace("\\n", "\n"), lists, chance))
    return found


def fill(template: str, lists: dict[str, list[str]], chance: random.Random) -> Example:
    def pick(name: str) -> str:
        word = chance.choice(lists[name])
        if name in {"given", "family", "places"} and chance.random() < 0.35:
            word = altered(word, chance)
        return word.title().replace("'S", "'s") if name != "words" else word

    def family() -> str:
        return pick("family") + (f"-{pick('family')}" if chance.random() < 0.08 else "")

    def person() -> str:
        form = chance.random()
        given, last = pick("given"), family()
        if form < 0.55:
            return f"{given} {last}"
        if form < 0.65:
            return f"{given} {chance.choice('ABCDEFGHJKLMNPRSTVW')}. {last}"
        if form < 0.75:
            return f"{given} {pick('given')} {last}"
        if form < 0.9:
            return f"{given} {last} {family()}"
        return f"{given} {chance.choice(['de', 'van', 'von', 'de la', 'van der', 'di', 'del'])} {last}"

    def organisation() -> str:
        word = pick("words").title() if chance.random() < 0.5 else family()
        kinds = ["{} Inc.", "{} GmbH", "{} Ltd", "{} S.A.", "{} Corporation", "{} & Sons", "{} Group", "{} Bank", "{} AG", "{} LLC", "{} Partners", "{} Technologies", "Banco {}", "University of {}", "Universidad de {}", "Hospital {}", "{} Hospital", "Clínica {}", "Klinikum {}", "Universität {}", "Centro de Salud {}", "{} Medical Center", "St. {} Clinic", "{} and {} LLP", "{}, {} and {}", "{}"]  # fmt: skip
        kind = chance.choice(kinds)
        return kind.format(*(word if n == 0 else family() for n in range(kind.count("{}"))))

    values = {
        "P": person,
        "F": lambda: pick("given"),
        "S": family,
        "L": lambda: pick("places"),
        "C": lambda: pick("countries"),
        "G": organisation,
        "A": lambda: (
            f"{chance.randint(1, 300)} {family()} Street"
            if chance.random() < 0.4
            else f"Calle {pick('given')} {family()} {chance.randint(1, 99)}"
            if chance.random() < 0.5
            else f"{family()}straße {chance.randint(1, 99)}"
        ),
        "D": lambda: f"{chance.randint(1, 28)}/{chance.randint(1, 12)}/{chance.randint(1940, 2024)}",
        "N": lambda: str(chance.randint(1000, 99999999)),
    }
    text, spans, at = "", [], 0
    for slot in re.finditer(r"\{([PFSLCGADN])\}", template):
        text += template[at : slot.start()]
        value = values[slot[1]]()
        kind = {"F": "P", "S": "P", "C": "L", "A": "L"}.get(slot[1], slot[1])
        if kind not in {"D", "N"}:
            spans.append({"start": len(text), "end": len(text) + len(value), "type": kind})
        text += value
        at = slot.end()
    return text + template[at:], spans, False


def altered(word: str, chance: random.Random) -> str:
    """A word that looks like a name and stands in no list."""
    at = chance.randrange(len(word))
    vowels = "aeiou"
    put = chance.choice(vowels) if word[at] in vowels else chance.choice("bdfgklmnrstvz")
    return word[:at] + put + word[at + chance.choice([0, 1]) :]


def varied(example: Example, chance: random.Random) -> Example:
    """Now and then in small letters or in capitals, where that keeps the places."""
    text, spans, partial = example
    drawn = chance.random()
    other = text.lower() if drawn < 0.08 else text.upper() if drawn < 0.12 else text
    return (other if len(other) == len(text) else text), spans, partial


def ready(text: str, spans: list[dict[str, Any]], partial: bool) -> tuple[list[page.Token], list[str], list[str]]:
    """Words, whole names and the right tag of each word; `?` where nothing is known."""
    line = page.tokens(text)
    tags = ["O"] * len(text)
    for span in spans:
        kind = span["type"]
        tag = "P" if kind in PERSON else "L" if kind in PLACE else "G" if kind in ORGANISATION else "O"
        tags[span["start"] : span["end"]] = [tag] * (span["end"] - span["start"])
    right = [tags[token.start] for token in line]
    whole = names.whole_names(line)
    if partial:
        right = [
            tag if tag != "O" or not (token.bits & 20 or whole[at]) else "?"
            for at, (tag, token) in enumerate(zip(right, line, strict=True))
        ]
    return line, whole, right


def learn(
    prepared: list[tuple[list[page.Token], list[str], list[str]]], chance: random.Random
) -> dict[str, list[float]]:
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
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])

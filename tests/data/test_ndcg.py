"""The measure by which retrieval is judged, against values computed by hand."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="module")
def ndcg():
    spec = importlib.util.spec_from_file_location("bench_retrieval", BENCH / "retrieval.py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(BENCH))
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCH))
        del sys.modules[spec.name]
    return module.ndcg


def test_the_best_order_scores_one(ndcg):
    assert ndcg(["a", "b", "c"], {"a": 3, "b": 2, "c": 1}) == pytest.approx(1.0)


def test_the_only_relevant_document_scores_by_its_rank(ndcg):
    # 1 / log2(rank + 1): 1 / log2(3) = 0.63093, 1 / log2(4) = 0.5, 1 / log2(5) = 0.43068
    assert ndcg(["x", "a"], {"a": 1}) == pytest.approx(0.63093, abs=1e-5)
    assert ndcg(["x", "y", "a"], {"a": 1}) == pytest.approx(0.5)
    assert ndcg(["x", "y", "z", "a"], {"a": 1}) == pytest.approx(0.43068, abs=1e-5)


def test_gain_is_the_grade_itself(ndcg):
    # gained: 1 + 3 / 1.58496 = 2.89279; best: 3 + 1 / 1.58496 = 3.63093
    assert ndcg(["b", "a"], {"a": 3, "b": 1}) == pytest.approx(0.79671, abs=1e-5)


def test_relevant_documents_that_are_missing_count_in_the_best_order(ndcg):
    # gained: 2; best: 2 + 2 / 1.58496 + 1 / 2 = 3.76186
    assert ndcg(["a"], {"a": 2, "b": 2, "c": 1}) == pytest.approx(0.53165, abs=1e-5)


def test_only_the_first_ten_ranks_count_in_either_order(ndcg):
    assert ndcg([*"0123456789", "a"], {"a": 1}) == 0.0
    everything = {str(number): 1.0 for number in range(12)}
    assert ndcg([str(number) for number in range(10)], everything) == pytest.approx(1.0)
    assert ndcg(["x", "a"], {"a": 1}, depth=1) == 0.0


def test_unjudged_and_negative_grades_gain_nothing(ndcg):
    assert ndcg(["x", "a", "bad"], {"a": 1, "bad": -2}) == pytest.approx(0.63093, abs=1e-5)
    assert ndcg(["a"], {"a": 0, "bad": -1}) == 0.0
    assert ndcg([], {"a": 1}) == 0.0

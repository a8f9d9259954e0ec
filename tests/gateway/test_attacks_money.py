"""Requests that try to cost more than was reserved for them, or less than the vendor bills."""

from __future__ import annotations

from typing import Any

import pytest

from strata.gateway.estimate import byte_bound, prompt_bound

LONG = "word " * 100_000


def said(**message: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", **message}]}


@pytest.mark.parametrize(
    "body",
    [
        said(content=LONG, type="image"),
        said(content=[{"type": "text", "text": LONG}], type="input_file"),
        said(content=[{"type": "document", "source": {"type": "text", "data": LONG}}]),
        said(content=[{"type": "document", "title": LONG, "source": {"type": "base64", "data": "aGk="}}]),
        said(content=[{"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": LONG}]}}]),
        said(content=[{"type": "file", "file": {"file_data": LONG}}]),
        said(content=[{"type": "image_url", "image_url": {"url": "https://x.example/"}, "text": LONG}]),
        {"input": [[LONG]]},
        {"input": [{"type": "input_file", "filename": "a", "file_data": LONG}]},
        {"input": [[1, 2, {"text": LONG}]]},
    ],
)
def test_a_long_text_counts_wherever_it_is_put(body: dict[str, Any]):
    assert prompt_bound(body, byte_bound) >= len(LONG)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "document", "source": {"type": "url", "url": "https://x.example/all.pdf"}},
        {"type": "input_file", "file_url": "https://x.example/all.pdf"},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "video_url", "video_url": {"url": "https://x.example/long.mp4"}},
    ],
)
def test_what_the_vendor_fetches_counts_as_the_longest_prompt_there_is(part: dict[str, Any]):
    assert prompt_bound(said(content=[part]), byte_bound) >= 1_000_000


def test_tokens_to_embed_count_one_each():
    assert prompt_bound({"input": [[1, 2, 3], [4]]}, byte_bound) < 100

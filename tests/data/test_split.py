"""Splitting loses nothing, passes no limit, and keeps what belongs together."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strata.data.draft import Draft
from strata.data.sentences import sentences
from strata.data.split import Splitter
from strata.data.tokens import count, minilm
from strata.types import Block, Chunk, Page, ParsedText, Place

COUNTER = minilm()

words = st.sampled_from(
    [
        "the",
        "mice",
        "Hydrochlorothiazide",
        "4.8",
        "°C",
        "e.g.",
        "ends.",
        "So?",
        "x" * 130,
        "größe",
        "日本語。",
        "a|b",
        "\u00ad",
        "5 mg",
    ]
) | st.text(min_size=1, max_size=12)
texts = st.lists(words, min_size=1, max_size=60).map(" ".join)
rows = st.lists(st.lists(words, min_size=1, max_size=5), min_size=1, max_size=12)


@st.composite
def documents(draw) -> ParsedText:
    draft = Draft()
    draft.paragraph("Beginning.")
    for kind in draw(st.lists(st.sampled_from(["heading", "paragraph", "table", "list", "page"]), max_size=14)):
        if kind == "heading":
            draft.heading(draw(texts), draw(st.integers(1, 4)))
        elif kind == "paragraph":
            draft.paragraph(draw(texts))
        elif kind == "table":
            draft.table(draw(rows))
        elif kind == "list":
            draft.items(draw(st.lists(texts, max_size=6)))
    return draft.parsed()


@settings(max_examples=120, deadline=None)
@given(documents(), st.integers(12, 240), st.integers(0, 40), st.text(max_size=200))
def test_passages_cover_the_text_exactly_and_fit_the_model(parsed, size, overlap, title):
    pieces = Splitter(COUNTER, size, overlap).split(parsed, title)
    covered = bytearray(len(parsed.text))
    for piece in pieces:
        assert piece.start < piece.end
        text = parsed.text[piece.start : piece.end]
        assert text.strip() == text
        assert piece.context.endswith(text)
        covered[piece.start : piece.end] = b"\x01" * (piece.end - piece.start)
        assert count(COUNTER, text) <= max(size, 8)
        assert count(COUNTER, piece.context) + COUNTER.marks <= COUNTER.limit
    missed = "".join(letter for letter, seen in zip(parsed.text, covered, strict=True) if not seen)
    assert missed.strip() == ""
    assert [piece.start for piece in pieces] == sorted(piece.start for piece in pieces)


@given(st.text(max_size=300))
def test_sentences_cover_the_text(text):
    spans = sentences(text)
    assert "".join(text[start:end] for start, end in spans) == text


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Dr. Okafor gave 5.5 mg. It helped.", 2),
        ("See e.g. Fig. 3 for details. Then stop!", 2),
        ("One sentence only", 1),
        ('Is it? Yes. (No.) "Maybe." Then.', 5),
        ("これは一。これは二。", 2),
        ("z.B. bei Kindern. Nicht bei Erwachsenen.", 2),
    ],
)
def test_sentences_end_where_a_reader_would_pause(text, number):
    assert len(sentences(text)) == number


def sample(*parts: tuple[str, object]) -> ParsedText:
    draft = Draft()
    for kind, value in parts:
        if kind == "table":
            draft.table(value)
        elif kind.startswith("h"):
            draft.heading(value, int(kind[1]))
        else:
            draft.paragraph(value)
    return draft.parsed()


def test_a_short_document_is_one_passage_with_its_title_before_it():
    parsed = sample(("p", "Keep it cold."))
    (piece,) = Splitter(COUNTER).split(parsed, "Storage")
    assert piece.context == "Storage\nKeep it cold."


def test_passages_know_their_headings():
    long = "The samples are kept cold at all times by the nurse. " * 12
    parsed = sample(("h1", "Manual"), ("h2", "Storage"), ("p", long), ("h2", "Transport"), ("p", long))
    pieces = Splitter(COUNTER, 120, 0).split(parsed, "Manual of the lab")
    last = pieces[-1]
    assert last.headings == ("Manual", "Transport")
    assert last.context.startswith("Manual of the lab\nManual\nTransport\nThe samples")
    assert {piece.headings[-1] for piece in pieces} == {"Storage", "Transport"}


def test_a_passage_over_the_end_of_a_page_knows_the_page_and_section_of_each_sentence():
    text = "Dose\nTake one.\nStorage\nKeep it cold."
    blocks = (
        Block("heading", 0, 4, 1, 1),
        Block("paragraph", 5, 14, 1),
        Block("heading", 15, 22, 2, 1),
        Block("paragraph", 23, 36, 2),
    )
    (piece,) = Splitter(COUNTER).split(ParsedText(text, blocks, (Page(1, 0, 14), Page(2, 15, 36))), "Leaflet")
    chunk = Chunk("c", "t", "d", 1, "k", 0, text, "", piece.start, piece.end, "a", places=piece.places)
    assert chunk.place(text.index("Take")) == Place(0, 1, ("Dose",))
    assert chunk.place(text.index("Keep")) == Place(15, 2, ("Storage",))


def test_a_long_table_repeats_its_header_in_each_passages_context():
    table = [["drug", "limit"], *([f"drug {number}", f"{number} mg"] for number in range(60))]
    parsed = sample(("p", "Limits follow."), ("table", table))
    pieces = Splitter(COUNTER, 100).split(parsed, "Limits")
    assert len(pieces) > 3
    for piece in pieces:
        assert "| drug | limit |" in piece.context
        assert all(row.startswith("|") and row.endswith("|") for row in piece.context.splitlines()[2:] if row)
    assert "| drug | limit |" not in parsed.text[pieces[-1].start : pieces[-1].end]


def test_neighbouring_passages_share_whole_sentences():
    parsed = sample(("p", " ".join(f"Sentence number {number} stands here." for number in range(60))))
    pieces = Splitter(COUNTER, 100, 20).split(parsed, "")
    for before, after in itertools.pairwise(pieces):
        shared = parsed.text[after.start : before.end]
        assert shared.startswith("Sentence number") and shared.endswith("here.")


def test_a_heading_never_ends_a_passage():
    text = "The samples are kept cold at all times. " * 5
    parts = [part for number in range(12) for part in (("h2", f"Section {number}"), ("p", text))]
    parsed = sample(*parts)
    for piece in Splitter(COUNTER, 110, 10).split(parsed, "T"):
        assert parsed.text[piece.start : piece.end].endswith("times.")


def test_a_title_that_is_too_long_is_shortened_and_the_text_is_not():
    parsed = sample(("p", "The samples are kept cold at all times. " * 24))
    pieces = Splitter(COUNTER, 220, 0).split(parsed, "very " * 300)
    for piece in pieces:
        assert piece.context.startswith("very very")
        assert piece.context.endswith(parsed.text[piece.start : piece.end])

"""The promise of `ports.vectors`, as tests: subclass it and hand it a fresh, empty index."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from strata.errors import Invalid
from strata.ports.vectors import Vectors
from strata.types import Chunk, Passage, Reader

TENANT = "acme"
OPEN, CLOSED = "label-open", "label-closed"
EVERYBODY = Reader(TENANT, frozenset({OPEN}))
INSIDER = Reader(TENANT, frozenset({OPEN, CLOSED}))
UNRULY = [
    "",
    " ",
    "?",
    '"',
    "'",
    "\\",
    "(((",
    "a AND OR NOT",
    "+must -not ~1 ^2",
    'title:"x" OR *',
    "[1 TO 2}",
    "'; DROP TABLE chunks; --",
    "freezer) OR (1=1",
    "😀",
    "\x00",
    "a" * 5000,
    "the of and",
]


def chunk(
    document: str, ordinal: int, text: str, *, access: str = OPEN, corpus: str = "sops", tenant: str = TENANT
) -> Chunk:
    """A chunk with every field filled."""
    return Chunk(
        id=f"{document}:{ordinal}",
        tenant=tenant,
        document=document,
        revision=1,
        corpus=corpus,
        ordinal=ordinal,
        text=text,
        context=f"{document}\n{text}",
        start=100 * ordinal,
        end=100 * ordinal + len(text),
        access=access,
        title=f"Title of {document}",
        source=f"{document}.pdf",
        media="application/pdf",
        page=ordinal + 1,
        headings=("Part", f"Section {ordinal}"),
        tokens=len(text.split()),
    )


def toward(angle: float) -> list[float]:
    """A unit vector of 8 numbers, at this angle in degrees from the first axis."""
    return [math.cos(math.radians(angle)), math.sin(math.radians(angle)), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]


async def store(vectors: Vectors, *chunks: Chunk, angles: Sequence[float] | None = None) -> None:
    """Upsert chunks of one document, at these angles (10 degrees apart if not given)."""
    directions = angles if angles is not None else [10.0 * n for n in range(len(chunks))]
    await vectors.upsert(chunks[0].tenant, chunks[0].document, list(chunks), [toward(angle) for angle in directions])


def ids(passages: Sequence[Passage]) -> list[str]:
    return [passage.chunk.id for passage in passages]


class VectorsPromise:
    """Override the fixture `vectors`: it yields a `Vectors` index that holds nothing."""

    @pytest.fixture
    def vectors(self) -> Vectors:
        raise NotImplementedError

    async def test_a_chunk_comes_back_as_it_was_stored(self, vectors: Vectors) -> None:
        whole = chunk("fridge", 0, "Keep between 2 °C and 8 °C.")
        bare = replace(chunk("bare", 0, "Nothing is known of this."), page=None, headings=(), title="", media="")
        await store(vectors, whole)
        await store(vectors, bare)
        found = await vectors.search(EVERYBODY, "fridge", toward(0), k=5)
        assert {passage.chunk.id: passage.chunk for passage in found} == {whole.id: whole, bare.id: bare}

    async def test_an_empty_index_finds_nothing(self, vectors: Vectors) -> None:
        assert await vectors.search(EVERYBODY, "anything", toward(0)) == []
        assert await vectors.chunks(EVERYBODY, "fridge") == []
        assert await vectors.count(TENANT) == 0
        await vectors.delete(TENANT, ["fridge"])
        await vectors.relabel(TENANT, "fridge", CLOSED)
        await vectors.optimize()

    async def test_meaning_and_words_both_find(self, vectors: Vectors) -> None:
        await store(vectors, chunk("near", 0, "alpha"), angles=[5])
        await store(vectors, chunk("word", 0, "zirconium crucible"), angles=[90])
        await store(vectors, chunk("neither", 0, "gamma"), angles=[80])
        found = await vectors.search(EVERYBODY, "zirconium", toward(0), k=3)
        assert set(ids(found)[:2]) == {"near:0", "word:0"}
        by_id = {passage.chunk.id: passage for passage in found}
        assert by_id["near:0"].lexical is None
        assert (by_id["word:0"].lexical or 0) > 0
        assert by_id["near:0"].dense == pytest.approx(math.cos(math.radians(5)), abs=1e-3)

    async def test_scores_are_fused_within_0_and_1_best_first(self, vectors: Vectors) -> None:
        await store(vectors, *(chunk("doc", n, f"word{n} common") for n in range(8)))
        found = await vectors.search(EVERYBODY, "word0 common", toward(0), k=8)
        scores = [passage.score for passage in found]
        assert ids(found)[0] == "doc:0"
        assert scores == sorted(scores, reverse=True)
        assert scores[0] == pytest.approx(1.0)
        assert all(0 <= score <= 1 for score in scores)

    async def test_k_and_candidates_limit_what_is_found(self, vectors: Vectors) -> None:
        await store(vectors, *(chunk("doc", n, "same words here") for n in range(20)))
        assert len(await vectors.search(EVERYBODY, "words", toward(0), k=7)) == 7
        few = await vectors.search(EVERYBODY, "nowhere", toward(0), k=20, candidates=3)
        assert ids(few) == ["doc:0", "doc:1", "doc:2"]

    async def test_a_reader_finds_only_what_the_labels_allow(self, vectors: Vectors) -> None:
        await store(vectors, chunk("open", 0, "salary bands"))
        await store(vectors, chunk("closed", 0, "salary bands secret", access=CLOSED))
        assert ids(await vectors.search(EVERYBODY, "salary secret", toward(0))) == ["open:0"]
        assert set(ids(await vectors.search(INSIDER, "salary secret", toward(0)))) == {"open:0", "closed:0"}
        assert await vectors.search(Reader(TENANT, frozenset()), "salary", toward(0)) == []
        assert await vectors.search(Reader(TENANT, frozenset({"'"})), "salary", toward(0)) == []
        assert await vectors.search(Reader("other", frozenset({OPEN})), "salary", toward(0)) == []
        assert await vectors.chunks(EVERYBODY, "closed") == []
        assert await vectors.chunks(Reader(TENANT, frozenset()), "open") == []
        assert [piece.id for piece in await vectors.chunks(INSIDER, "closed")] == ["closed:0"]

    async def test_the_filter_comes_before_the_choice_of_candidates(self, vectors: Vectors) -> None:
        await store(vectors, *(chunk("closed", n, "budget budget", access=CLOSED) for n in range(30)), angles=[0] * 30)
        await store(vectors, chunk("open", 0, "a budget among many other words of this text"), angles=[60])
        found = await vectors.search(EVERYBODY, "budget", toward(0), k=5, candidates=5)
        assert ids(found) == ["open:0"]
        assert found[0].dense is not None
        assert found[0].lexical is not None

    async def test_corpora_narrow_the_search(self, vectors: Vectors) -> None:
        await store(vectors, chunk("a", 0, "leave", corpus="hr"))
        await store(vectors, chunk("b", 0, "leave", corpus="o'hare"))
        await store(vectors, chunk("c", 0, "leave", corpus="sops"))
        assert ids(await vectors.search(EVERYBODY, "leave", toward(0), corpora=["hr"])) == ["a:0"]
        both = await vectors.search(EVERYBODY, "leave", toward(0), corpora=["hr", "o'hare"])
        assert set(ids(both)) == {"a:0", "b:0"}
        assert await vectors.search(EVERYBODY, "leave", toward(0), corpora=["none"]) == []

    async def test_tenants_share_nothing(self, vectors: Vectors) -> None:
        await store(vectors, chunk("same", 0, "ours"))
        await store(vectors, chunk("same", 0, "theirs", tenant="rival"))
        assert [p.chunk.text for p in await vectors.search(EVERYBODY, "theirs", toward(0))] == ["ours"]
        await vectors.delete("rival", ["same"])
        assert (await vectors.count(TENANT), await vectors.count("rival")) == (1, 0)

    async def test_upsert_replaces_the_document_and_twice_changes_nothing(self, vectors: Vectors) -> None:
        await store(vectors, *(chunk("doc", n, f"old{n}") for n in range(5)))
        await store(vectors, chunk("other", 0, "stays"))
        for _ in range(2):
            await store(vectors, *(replace(chunk("doc", n, f"new{n}"), revision=2) for n in range(2)))
        assert await vectors.count(TENANT) == 3
        assert [(piece.text, piece.revision) for piece in await vectors.chunks(EVERYBODY, "doc")] == [
            ("new0", 2),
            ("new1", 2),
        ]
        assert all(p.lexical is None for p in await vectors.search(EVERYBODY, "old3", toward(0)))
        await vectors.upsert(TENANT, "doc", [], [])
        assert await vectors.count(TENANT) == 1

    async def test_many_documents_in_one_write(self, vectors: Vectors) -> None:
        batch = [
            (f"doc{n}", [chunk(f"doc{n}", i, f"unique{n}x{i}") for i in range(3)], [toward(n + i) for i in range(3)])
            for n in range(40)
        ]
        await vectors.upsert_many(TENANT, batch)
        await vectors.upsert_many(TENANT, batch[:7])
        await vectors.upsert_many(TENANT, [])
        assert await vectors.count(TENANT) == 120
        found = await vectors.search(EVERYBODY, "unique17x2", toward(19), k=1)
        assert ids(found) == ["doc17:2"]

    async def test_a_write_is_found_at_once_also_after_optimize(self, vectors: Vectors) -> None:
        await store(vectors, chunk("first", 0, "aardvark"))
        await vectors.optimize()
        await store(vectors, chunk("second", 0, "wombat"))
        for word, wanted in (("wombat", "second:0"), ("aardvark", "first:0")):
            (best,) = await vectors.search(EVERYBODY, word, toward(0), k=1)
            assert best.chunk.id == wanted
            assert best.lexical is not None

    async def test_relabelling_changes_who_finds(self, vectors: Vectors) -> None:
        await store(vectors, chunk("doc", 0, "merger"), chunk("doc", 1, "plans"))
        await store(vectors, chunk("other", 0, "merger"))
        await vectors.relabel(TENANT, "doc", CLOSED)
        assert ids(await vectors.search(EVERYBODY, "merger plans", toward(0))) == ["other:0"]
        assert {piece.access for piece in await vectors.chunks(INSIDER, "doc")} == {CLOSED}
        await vectors.relabel(TENANT, "doc", OPEN)
        assert await vectors.count(TENANT) == 3
        assert len(await vectors.search(EVERYBODY, "merger plans", toward(0))) == 3

    async def test_what_is_deleted_is_not_found_also_after_optimize(self, vectors: Vectors) -> None:
        for name in ("a", "b", "o'c"):
            await store(vectors, chunk(name, 0, "shared word"))
        await vectors.delete(TENANT, ["a", "o'c", "missing"])
        for _ in range(2):
            assert ids(await vectors.search(EVERYBODY, "shared", toward(0))) == ["b:0"]
            assert await vectors.count(TENANT) == 1
            await vectors.optimize()

    async def test_chunks_come_in_their_order(self, vectors: Vectors) -> None:
        pieces = [chunk("doc", n, f"part {n}") for n in (2, 0, 11, 1)]
        await store(vectors, *pieces)
        await store(vectors, chunk("doc2", 5, "part of another"))
        assert await vectors.chunks(EVERYBODY, "doc") == sorted(pieces, key=lambda piece: piece.ordinal)

    async def test_no_text_of_a_question_breaks_the_search(self, vectors: Vectors) -> None:
        await store(vectors, chunk("doc", 0, "the freezer of the cold room"))
        for text in UNRULY:
            assert ids(await vectors.search(EVERYBODY, text, toward(0))) == ["doc:0"]

    async def test_a_batch_that_does_not_fit_is_invalid_and_changes_nothing(self, vectors: Vectors) -> None:
        good = chunk("doc", 0, "text")
        await store(vectors, good)
        for document, chunks, directions in (
            ("doc", [good], []),
            ("doc", [good, chunk("doc", 1, "x")], [toward(0), toward(0)[:4]]),
            ("other", [good], [toward(0)]),
            ("doc", [good, good], [toward(0), toward(0)]),
        ):
            with pytest.raises(Invalid):
                await vectors.upsert(TENANT, document, chunks, directions)
        assert await vectors.count(TENANT) == 1

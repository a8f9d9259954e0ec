"""What the LanceDB index holds beyond the promise: nothing leaks, nothing deleted stays, and size changes no answer."""

import asyncio
import random
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strata.adapters.vectors import lancedb, memory
from strata.errors import Invalid, Misconfigured
from strata.testing.vectors import CLOSED, EVERYBODY, INSIDER, OPEN, TENANT, chunk, ids, store, toward
from strata.types import Reader

WORDS = ["freezer", "dose", "audit", "leave", "trial"]
LABELS = ["l1", "l2", "l3", "o'l4"]
CORPORA = ["hr", "sops"]


def many(rng, documents, *, per_document=20, access=OPEN, prefix="doc"):
    matrix = rng.standard_normal((documents * per_document, 16))
    return [
        (
            f"{prefix}{d}",
            [chunk(f"{prefix}{d}", n, f"text {d} {n} token{d}x{n}", access=access) for n in range(per_document)],
            matrix[d * per_document : (d + 1) * per_document].tolist(),
        )
        for d in range(documents)
    ]


def nearest(batch, vector, k):
    flat = [(piece.id, row) for _, pieces, rows in batch for piece, row in zip(pieces, rows, strict=True)]
    matrix = np.array([row for _, row in flat])
    cosines = matrix @ np.array(vector) / np.linalg.norm(matrix, axis=1) / np.linalg.norm(vector)
    return [flat[at][0] for at in np.argsort(-cosines)[:k]]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("upsert"), st.integers(0, 5), st.sampled_from(LABELS), st.sampled_from(CORPORA)),
        st.tuples(st.just("relabel"), st.integers(0, 5), st.sampled_from(LABELS), st.none()),
        st.tuples(st.just("delete"), st.integers(0, 5), st.none(), st.none()),
        st.tuples(st.just("optimize"), st.none(), st.none(), st.none()),
    ),
    min_size=3,
    max_size=12,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps, labels=st.sets(st.sampled_from(LABELS)), corpora=st.sets(st.sampled_from(CORPORA)), data=st.data())
async def test_whatever_happened_before_a_reader_finds_exactly_what_the_labels_allow(
    tmp_path_factory, steps, labels, corpora, data
):
    vectors = await lancedb.make("vectors", home=tmp_path_factory.mktemp("lance"))
    expected = {}
    for number, (what, document, label, corpus) in enumerate(steps):
        name = f"doc{document}"
        if what == "upsert":
            text = " ".join(data.draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4)))
            pieces = [chunk(name, n, text, access=label, corpus=corpus) for n in range(1 + number % 3)]
            await store(vectors, *pieces)
            expected[name] = {piece.id: (label, corpus, text) for piece in pieces}
        elif what == "relabel":
            await vectors.relabel(TENANT, name, label)
            expected[name] = {key: (label, *rest) for key, (_, *rest) in expected.get(name, {}).items()}
        elif what == "delete":
            await vectors.delete(TENANT, [name])
            expected.pop(name, None)
        else:
            await vectors.optimize()
    found = await vectors.search(
        Reader(TENANT, frozenset(labels)), " ".join(WORDS), toward(0), corpora=sorted(corpora), k=100
    )
    allowed = {
        key
        for document in expected.values()
        for key, (label, corpus, _) in document.items()
        if label in labels and (not corpora or corpus in corpora)
    }
    assert set(ids(found)) == allowed
    assert all(passage.chunk.access in labels for passage in found)
    assert all(passage.lexical is not None and passage.dense is not None for passage in found)
    await vectors.close()


async def test_with_indexes_the_answers_are_exact_and_filtered_as_before(tmp_path):
    rng = np.random.default_rng(3)
    vectors = await lancedb.make("vectors", home=tmp_path)
    batch, hidden = many(rng, 70), many(rng, 70, access=CLOSED, prefix="closed")
    await vectors.upsert_many(TENANT, batch + hidden)
    await vectors.optimize()
    late = many(rng, 3, prefix="late")
    await vectors.upsert_many(TENANT, late)
    for _ in range(5):
        asked = rng.standard_normal(16).tolist()
        found = await vectors.search(EVERYBODY, "nothingofthekind", asked, k=10, candidates=10)
        assert ids(found) == nearest(batch + late, asked, 10)
        everything = await vectors.search(INSIDER, "nothingofthekind", asked, k=10, candidates=10)
        assert ids(everything) == nearest(batch + hidden + late, asked, 10)
    best = await vectors.search(EVERYBODY, "token7x3", asked, k=200, candidates=100)
    assert [passage.chunk.id for passage in best if passage.lexical is not None] == ["doc7:3"]
    await vectors.close()


async def test_above_the_exact_size_nearly_everything_near_is_still_found(tmp_path):
    rng = np.random.default_rng(4)
    vectors = await lancedb.make("vectors", home=tmp_path, exact_rows=1500)
    batch = many(rng, 150)
    await vectors.upsert_many(TENANT, batch)
    await vectors.optimize()
    hits = 0
    for _ in range(10):
        asked = rng.standard_normal(16).tolist()
        found = await vectors.search(EVERYBODY, "nothing", asked, k=10, candidates=10)
        hits += len(set(ids(found)) & set(nearest(batch, asked, 10)))
    assert hits >= 80
    await vectors.close()


async def test_after_optimize_no_file_and_no_version_holds_what_was_deleted(tmp_path):
    vectors = await lancedb.make("vectors", home=tmp_path)
    rng = np.random.default_rng(5)
    await vectors.upsert_many(TENANT, many(rng, 60))
    await store_canary(vectors)
    await vectors.optimize()
    folder = tmp_path / "vectors"
    before = {path for path in folder.rglob("*") if path.is_file()}
    await vectors.delete(TENANT, ["canary"])
    await vectors.optimize()
    after = {path for path in folder.rglob("*") if path.is_file()}
    held = {path for path in before & after if path.suffix in {".lance", ".idx", ".txn", ".arrow", ".bin"}}
    assert held == set()
    table = await vectors.connection.open_table(lancedb.table_name(TENANT))
    for version in await table.list_versions():
        await table.checkout(version["version"])
        rows = await table.query().select(["chunk"]).to_arrow()
        assert not any(b"xanthocanary" in row for row in rows["chunk"].to_pylist())
    assert not list(folder.glob("*.deleted"))
    assert await vectors.count(TENANT) == 1200
    await vectors.close()


async def store_canary(vectors):
    await vectors.upsert(TENANT, "canary", [chunk("canary", 0, "xanthocanary lives here")], [[1.0] * 16])


async def test_without_optimize_the_same_search_of_old_versions_does_find_it(tmp_path):
    vectors = await lancedb.make("vectors", home=tmp_path)
    await vectors.upsert_many(TENANT, many(np.random.default_rng(5), 3))
    await store_canary(vectors)
    await vectors.delete(TENANT, ["canary"])
    table = await vectors.connection.open_table(lancedb.table_name(TENANT))
    seen = False
    for version in await table.list_versions():
        await table.checkout(version["version"])
        rows = await table.query().select(["chunk"]).to_arrow()
        seen = seen or any(b"xanthocanary" in row for row in rows["chunk"].to_pylist())
    assert seen
    assert list((tmp_path / "vectors").glob("*.deleted"))
    await vectors.close()


async def test_everything_can_be_deleted_and_stored_again(tmp_path):
    vectors = await lancedb.make("vectors", home=tmp_path)
    for _ in range(2):
        await store(vectors, chunk("doc", 0, "wombat"))
        await vectors.optimize()
        assert ids(await vectors.search(EVERYBODY, "wombat", toward(0))) == ["doc:0"]
        await vectors.delete(TENANT, ["doc"])
        await vectors.optimize()
        assert await vectors.search(EVERYBODY, "wombat", toward(0)) == []
    await vectors.close()


async def test_the_index_is_there_after_the_next_opening_and_another_opening_sees_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(lancedb, "STALE", timedelta(0))
    first = await lancedb.make("vectors", home=tmp_path)
    await store(first, chunk("doc", 0, "wombat"))
    second = await lancedb.make("vectors", home=tmp_path)
    assert ids(await second.search(EVERYBODY, "wombat", toward(0))) == ["doc:0"]
    await store(first, chunk("other", 0, "wombat wombat"))
    assert set(ids(await second.search(EVERYBODY, "wombat", toward(0)))) == {"doc:0", "other:0"}
    await first.delete(TENANT, ["doc"])
    await first.optimize()
    assert ids(await second.search(EVERYBODY, "wombat", toward(0))) == ["other:0"]
    await first.close()
    await second.close()


async def test_lexical_search_stems_english_and_keeps_small_words(tmp_path):
    vectors = await lancedb.make("vectors", home=tmp_path)
    await store(vectors, chunk("a", 0, "Freezers were calibrated"))
    await store(vectors, chunk("b", 0, "to be or not to be"))
    (calibrating,) = [p for p in await vectors.search(EVERYBODY, "calibrating a freezer", toward(0)) if p.lexical]
    assert calibrating.chunk.id == "a:0"
    (small,) = [p for p in await vectors.search(EVERYBODY, "not", toward(0)) if p.lexical]
    assert small.chunk.id == "b:0"
    await vectors.close()


async def test_it_ranks_as_the_exact_index_does_where_stemming_makes_no_difference(tmp_path):
    rng = random.Random(6)
    real, exact = await lancedb.make("vectors", home=tmp_path), await memory.make()
    vocabulary = [f"zq{n}k" for n in range(40)]
    for n in range(60):
        piece = chunk(f"doc{n}", 0, " ".join(rng.choices(vocabulary, k=rng.randrange(5, 30))))
        for vectors in (real, exact):
            await store(vectors, piece, angles=[n * 1.5])
    for _ in range(5):
        question = " ".join(rng.sample(vocabulary, 3))
        angle = rng.uniform(0, 90)
        answers = [await vectors.search(EVERYBODY, question, toward(angle), k=10) for vectors in (real, exact)]
        assert len(set(ids(answers[0])) & set(ids(answers[1]))) >= 8
    await real.close()


async def test_vectors_of_another_model_are_refused(tmp_path):
    vectors = await lancedb.make("vectors", home=tmp_path)
    await store(vectors, chunk("doc", 0, "x"))
    with pytest.raises(Invalid, match="index everything anew"):
        await vectors.upsert(TENANT, "other", [chunk("other", 0, "y")], [[1.0, 0.0]])
    with pytest.raises(Invalid):
        await vectors.search(EVERYBODY, "x", [1.0, 0.0])
    with pytest.raises(Invalid):
        await vectors.search(EVERYBODY, "x", [float("nan")] * 8)
    with pytest.raises(Misconfigured):
        await lancedb.make("vectors", home=tmp_path, dense_weight=3)
    await vectors.close()


async def test_tenants_of_any_name_have_tables_of_their_own(tmp_path):
    vectors = await lancedb.make("vectors", home=tmp_path)
    names = ["acme", "ACME", "a/b", "../x", "ä", "a b", "tenant.acme"]
    for name in names:
        await store(vectors, chunk("doc", 0, f"of {name}", tenant=name))
    for name in names:
        (found,) = await vectors.search(Reader(name, frozenset({OPEN})), "of", toward(0))
        assert found.chunk.text == f"of {name}"
    assert len(list((tmp_path / "vectors").glob("*.lance"))) == len(names)
    await vectors.close()


async def test_questions_during_writes_and_compaction_get_only_whole_and_readable_answers(tmp_path):
    vectors = await lancedb.make("vectors", home=tmp_path)
    rng = np.random.default_rng(8)
    await vectors.upsert_many(TENANT, many(rng, 30) + many(rng, 30, access=CLOSED, prefix="closed"))
    done = asyncio.Event()

    async def write():
        for turn in range(6):
            await vectors.upsert_many(TENANT, many(rng, 10) + many(rng, 10, access=CLOSED, prefix="closed"))
            await vectors.delete(TENANT, [f"doc{20 + turn}", f"closed{20 + turn}"])
            await vectors.optimize()
        done.set()

    async def read():
        while not done.is_set():
            found = await vectors.search(EVERYBODY, "token7x3", rng.standard_normal(16).tolist(), k=20)
            assert found
            assert all(passage.chunk.access == OPEN for passage in found)
            assert {passage.chunk.id for passage in found if passage.lexical is not None} <= {"doc7:3"}

    await asyncio.gather(write(), read(), read())
    await vectors.close()


async def test_both_ways_of_fetching_the_winners_give_the_same(tmp_path, monkeypatch):
    vectors = await lancedb.make("vectors", home=tmp_path)
    rng = np.random.default_rng(9)
    await vectors.upsert_many(TENANT, many(rng, 20))
    asked = rng.standard_normal(16).tolist()
    quick = await vectors.search(EVERYBODY, "token7x3 text", asked, k=15)

    async def changed(question, k):
        return None

    monkeypatch.setattr(vectors, "_by_place", changed)
    slow = await vectors.search(EVERYBODY, "token7x3 text", asked, k=15)
    assert [p.score for p in slow] == pytest.approx([p.score for p in quick])
    assert ids(slow)[:1] == ids(quick)[:1] == ["doc7:3"]
    assert set(ids(slow)) == set(ids(quick))
    await vectors.close()

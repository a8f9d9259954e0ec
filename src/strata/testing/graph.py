"""The promise of `ports.graph`, as tests: subclass it and hand it a fresh, empty store."""

from __future__ import annotations

import pytest

from strata.errors import Invalid
from strata.ports.graph import Graph, Statement
from strata.types import Reader

TENANT = "acme"
EVERYBODY = Reader(TENANT, frozenset({"open"}))
INSIDER = Reader(TENANT, frozenset({"open", "closed"}))
TREATS, LABEL = "urn:p:treats", "urn:p:label"
ALL = "SELECT ?s ?o WHERE { ?s ?p ?o } ORDER BY ?s ?o"


def treats(drug: str, disease: str) -> Statement:
    return Statement(f"urn:d:{drug}", TREATS, f"urn:d:{disease}")


class GraphPromise:
    """Override the fixture `graph`: it yields a `Graph` that holds nothing."""

    @pytest.fixture
    def graph(self) -> Graph:
        raise NotImplementedError

    async def test_statements_are_found_with_the_document_they_rest_on(self, graph: Graph) -> None:
        await graph.upsert(TENANT, "doc", "open", [treats("a", "b"), Statement("urn:d:a", LABEL, 'Ä "x"\n\\', True)])
        assert await graph.ask(EVERYBODY, f"SELECT ?o {{ <urn:d:a> <{TREATS}> ?o }}") == [{"o": "urn:d:b"}]
        assert await graph.ask(EVERYBODY, f"SELECT ?o {{ <urn:d:a> <{LABEL}> ?o }}") == [{"o": 'Ä "x"\n\\'}]
        sources = await graph.ask(EVERYBODY, f"SELECT ?g {{ GRAPH ?g {{ ?s <{TREATS}> ?o }} }}")
        assert len(sources) == 1
        assert "doc" in sources[0]["g"]

    async def test_upsert_replaces_only_this_document(self, graph: Graph) -> None:
        await graph.upsert(TENANT, "doc", "open", [treats("a", "b"), treats("a", "c")])
        await graph.upsert(TENANT, "other", "open", [treats("x", "y")])
        await graph.upsert(TENANT, "doc", "open", [treats("a", "d")])
        assert await graph.ask(EVERYBODY, ALL) == [
            {"s": "urn:d:a", "o": "urn:d:d"},
            {"s": "urn:d:x", "o": "urn:d:y"},
        ]

    async def test_a_question_sees_only_what_the_labels_allow(self, graph: Graph) -> None:
        await graph.upsert(TENANT, "doc", "open", [treats("a", "b")])
        await graph.upsert(TENANT, "secret", "closed", [treats("s", "t")])
        await graph.upsert("rival", "doc", "open", [treats("r", "q")])
        hidden = [
            ALL,
            "SELECT ?s ?o { GRAPH ?g { ?s ?p ?o } } ORDER BY ?s",
            "SELECT ?s ?o { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } FILTER(1=1) } ORDER BY ?s",
            "SELECT DISTINCT ?s ?o { ?s (!<urn:x>)* ?o . FILTER(?s != ?o) } ORDER BY ?s",
        ]
        for question in hidden:
            assert {row["s"] for row in await graph.ask(EVERYBODY, question)} == {"urn:d:a"}, question
            assert {row["s"] for row in await graph.ask(INSIDER, question)} == {"urn:d:a", "urn:d:s"}, question
            assert await graph.ask(Reader(TENANT, frozenset()), question) == []
        (graphs,) = await graph.ask(INSIDER, "SELECT (COUNT(DISTINCT ?g) AS ?n) { GRAPH ?g { ?s ?p ?o } }")
        assert graphs == {"n": "2"}
        named = await graph.ask(INSIDER, "SELECT DISTINCT ?g { GRAPH ?g { <urn:d:s> ?p ?o } }")
        assert await graph.ask(EVERYBODY, f"SELECT ?s {{ GRAPH <{named[0]['g']}> {{ ?s ?p ?o }} }}") == []

    async def test_a_new_label_changes_who_sees(self, graph: Graph) -> None:
        await graph.upsert(TENANT, "doc", "open", [treats("a", "b")])
        await graph.upsert(TENANT, "doc", "closed", [treats("a", "b")])
        assert await graph.ask(EVERYBODY, ALL) == []
        assert len(await graph.ask(INSIDER, ALL)) == 1

    async def test_ask_is_answered_with_a_boolean(self, graph: Graph) -> None:
        await graph.upsert(TENANT, "doc", "open", [treats("a", "b")])
        assert await graph.ask(EVERYBODY, f"ASK {{ ?s <{TREATS}> <urn:d:b> }}") == [{"boolean": True}]
        assert await graph.ask(EVERYBODY, f"ASK {{ ?s <{TREATS}> <urn:d:z> }}") == [{"boolean": False}]
        assert await graph.ask(Reader(TENANT, frozenset()), "ASK { ?s ?p ?o }") == [{"boolean": False}]

    async def test_an_answer_has_at_most_limit_rows(self, graph: Graph) -> None:
        await graph.upsert(TENANT, "doc", "open", [treats("a", f"b{n}") for n in range(30)])
        assert len(await graph.ask(EVERYBODY, ALL, limit=7)) == 7
        assert len(await graph.ask(EVERYBODY, ALL)) == 30

    async def test_an_unbound_variable_is_left_out(self, graph: Graph) -> None:
        await graph.upsert(TENANT, "doc", "open", [treats("a", "b")])
        question = f"SELECT ?s ?x {{ ?s <{TREATS}> ?o OPTIONAL {{ ?o <{TREATS}> ?x }} }}"
        assert await graph.ask(EVERYBODY, question) == [{"s": "urn:d:a"}]

    async def test_what_changes_leaves_or_leads_astray_is_invalid(self, graph: Graph) -> None:
        await graph.upsert(TENANT, "doc", "open", [treats("a", "b")])
        for question in (
            "INSERT DATA { <urn:a> <urn:b> <urn:c> }",
            "DELETE WHERE { ?s ?p ?o }",
            "CLEAR ALL",
            "SELECT ?s { ?s ?p ?o } ; DROP ALL",
            "SELECT ?s FROM <urn:strata:meta> { ?s ?p ?o }",
            "SELECT ?s from named <urn:strata:meta> { GRAPH ?g { ?s ?p ?o } }",
            "SELECT ?s #\nFROM<urn:x>{ ?s ?p ?o }",
            "SELECT ?s { SERVICE <http://127.0.0.1:1/> { ?s ?p ?o } }",
            "SELECT ?s { SERVICE SILENT <http://127.0.0.1:1/> { ?s ?p ?o } }",
            "SELECT ?s { ?s ?p '# not a comment' . sErViCe ?x { ?s ?p ?o } }",
            "SELECT ?s { ?s ?p ?o FILTER(?o<5) SERVICE <http://127.0.0.1:1/> { ?s ?p ?o } }",
            "CONSTRUCT WHERE { ?s ?p ?o }",
            "DESCRIBE <urn:d:a>",
            "no question at all",
            "",
        ):
            with pytest.raises(Invalid):
                await graph.ask(INSIDER, question)
        assert len(await graph.ask(EVERYBODY, ALL)) == 1

    async def test_words_that_only_look_forbidden_are_allowed(self, graph: Graph) -> None:
        await graph.upsert(TENANT, "doc", "open", [Statement("urn:d:a", "urn:p:from", "SERVICE from", True)])
        for question in (
            "PREFIX p: <urn:p:> SELECT ?from { ?from p:from 'SERVICE from' }",
            'SELECT ?s { ?s <urn:p:from> "SERVICE from" } # FROM here',
            "PREFIX service: <urn:p:> SELECT ?s { ?s service:from '''SERVICE from''' }",
        ):
            assert len(await graph.ask(EVERYBODY, question)) == 1, question

    async def test_what_is_deleted_is_gone_also_after_erase(self, graph: Graph) -> None:
        await graph.upsert(TENANT, "doc", "open", [treats("a", "b")])
        await graph.upsert(TENANT, "o'th er", "open", [treats("x", "y")])
        await graph.delete(TENANT, ["doc", "missing"])
        for _ in range(2):
            assert await graph.ask(EVERYBODY, ALL) == [{"s": "urn:d:x", "o": "urn:d:y"}]
            await graph.erase()
        await graph.upsert(TENANT, "doc", "open", [treats("a", "b")])
        assert len(await graph.ask(EVERYBODY, ALL)) == 2

    async def test_what_is_no_iri_is_invalid_and_changes_nothing(self, graph: Graph) -> None:
        await graph.upsert(TENANT, "doc", "open", [treats("a", "b")])
        for bad in (Statement("no iri", TREATS, "urn:x"), Statement("urn:x", TREATS, "a b> <urn:y")):
            with pytest.raises(Invalid):
                await graph.upsert(TENANT, "doc", "open", [bad])
        assert len(await graph.ask(EVERYBODY, ALL)) == 1

"""The web API as a browser meets it: who gets in, what answers look like, and that errors say what to do."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.app.conftest import CORPORA, OPTIONS

from strata.app.gate import OPEN
from strata.app.http import app
from strata.errors import StrataError, Unavailable
from strata.types import Budget, BudgetStatus, Money, now

HOW_OFTEN = "How often must the pump PX-7 be cleaned?"
OURS = {"X-Strata": "web"}


@pytest.fixture
def web(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>Strata</title>")
    (tmp_path / "assets" / "main.js").write_text("export {}")
    return tmp_path


@pytest.fixture
def made(place, web):
    return app(place.desk, place.library, place.ledger, place.door, OPTIONS, corpora=CORPORA, web=web)


@pytest.fixture
def stranger(made):
    return TestClient(made, headers=OURS, raise_server_exceptions=False)


@pytest.fixture
async def links(place):
    return await place.door.links()


@pytest.fixture
def browser(made, links):
    """A signed-in browser for a person."""

    def of(person: str = "ana") -> TestClient:
        client = TestClient(made, headers=OURS, raise_server_exceptions=False)
        assert client.post("/api/sign-in", json={"token": links[person]}).status_code == 200
        return client

    return of


def opened(client: TestClient, assistant: str = "care") -> str:
    return client.post("/api/sessions", json={"assistant": assistant}).json()["id"]


def asked(client: TestClient, question: str, assistant: str = "care") -> list[dict]:
    answer = client.post(f"/api/sessions/{opened(client, assistant)}/messages", json={"text": question})
    assert answer.headers["content-type"].startswith("text/event-stream")
    return [json.loads(event.removeprefix("data: ")) for event in answer.text.split("\n\n") if event]


def routes(document: dict) -> list[tuple[str, str]]:
    return [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]


def test_signing_in_tells_who_one_is_and_sets_a_cookie_that_scripts_cannot_read(stranger, links):
    answer = stranger.post("/api/sign-in", json={"token": links["ana"]})
    assert answer.json() == {
        "id": "ana",
        "name": "Ana Silva",
        "email": "ana@acme.example",
        "title": "Technician",
        "department": {"id": "care", "name": "Customer Care"},
        "tenant": {"id": "acme", "name": "Acme"},
        "groups": [],
        "roles": ["editor", "member"],
        "may": {"upload": True, "usage": True, "audit": False},
    }
    cookie = answer.headers["set-cookie"]
    assert "strata_session=" in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert stranger.get("/api/me").json() == answer.json()


def test_signing_out_ends_it(browser):
    client = browser()
    assert client.post("/api/sign-out").status_code == 204
    assert client.get("/api/me").status_code == 401


def test_whoever_is_not_signed_in_gets_nothing_anywhere(stranger):
    everything = routes(stranger.get("/api/openapi.json").json())
    assert len(everything) > 18
    closed = [route for route in everything if route not in OPEN]
    for method, path in [*closed, ("GET", "/api/nothing"), ("GET", "/api"), ("POST", "/api/audit")]:
        answer = stranger.request(method, path.replace("{", "").replace("}", ""))
        assert answer.status_code == 401, (method, path)
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_change_that_another_page_asks_for_is_refused(made, links, browser):
    client = browser()
    del client.headers["X-Strata"]
    for method, path in routes(client.get("/api/openapi.json").json()):
        if method != "GET":
            answer = client.request(method, path.replace("{", "").replace("}", ""))
            assert answer.status_code == 403, (method, path)
            assert "X-Strata" in answer.json()["detail"]


def test_the_answer_arrives_as_typed_parts_in_order(browser):
    parts = asked(browser(), HOW_OFTEN)
    assert [part["type"] for part in parts] == ["started", "searched", "citation", "sentence", "usage", "done"]
    assert parts[0].keys() == {"type", "question", "message", "mode"}
    assert parts[1] == {"type": "searched", "query": HOW_OFTEN, "passages": 6, "documents": 2}
    assert parts[2]["citation"].keys() == {
        "number", "document", "title", "media", "page", "headings", "start", "end", "quote", "score",
    }  # fmt: skip
    assert parts[3]["sentence"]["support"] == "supported"
    assert parts[3]["sentence"]["citations"] == [1]
    assert parts[4]["usage"]["cost"]["currency"] == "USD"
    assert parts[5] == {"type": "done", "outcome": "answered", "mode": "extractive", "title": HOW_OFTEN}


def test_a_citation_points_into_the_text_that_the_page_loads(browser):
    client = browser()
    citation = asked(client, HOW_OFTEN)[2]["citation"]
    text = client.get(f"/api/documents/{citation['document']}/text").json()["text"]
    assert text[citation["start"] : citation["end"]] == citation["quote"]


def test_the_session_is_there_again_with_its_messages(browser):
    client = browser()
    parts = asked(client, HOW_OFTEN)
    (session,) = client.get("/api/sessions").json()
    detail = client.get(f"/api/sessions/{session['id']}").json()
    question, answer = detail["messages"]
    assert question["role"] == "reader"
    assert question["outcome"] is None
    assert answer["sentences"] == [part["sentence"] for part in parts if part["type"] == "sentence"]
    assert answer["citations"] == [part["citation"] for part in parts if part["type"] == "citation"]
    assert answer["created_at"].endswith("Z")
    renamed = client.patch(f"/api/sessions/{session['id']}", json={"title": "Pumps"})
    assert renamed.json()["title"] == "Pumps"
    assert client.delete(f"/api/sessions/{session['id']}").status_code == 204
    assert client.get(f"/api/sessions/{session['id']}").status_code == 404


def test_feedback_is_given_and_taken_back(browser):
    client = browser()
    message = asked(client, HOW_OFTEN)[0]["message"]
    feedback = {"emoji": "👎", "reasons": ["wrong-source"], "comment": "see chapter 3"}
    assert client.put(f"/api/messages/{message}/feedback", json=feedback).json() == feedback
    assert client.put(f"/api/messages/{message}/feedback", json=feedback | {"emoji": "🍕"}).status_code == 422
    assert client.delete(f"/api/messages/{message}/feedback").status_code == 204


def test_nobody_reaches_anothers_session_message_or_document(browser):
    ana, bo = browser("ana"), browser("bo")
    session = opened(ana)
    message = asked(ana, HOW_OFTEN)[0]["message"]
    secret = browser("cy").get("/api/documents?corpus=board").json()[0]["id"]
    assert bo.get("/api/documents?corpus=board").json() == []
    for method, path, body in (
        ("GET", f"/api/sessions/{session}", None),
        ("PATCH", f"/api/sessions/{session}", {"title": "mine"}),
        ("DELETE", f"/api/sessions/{session}", None),
        ("POST", f"/api/sessions/{session}/messages", {"text": "hello?"}),
        ("PUT", f"/api/messages/{message}/feedback", {"emoji": "👍", "reasons": [], "comment": ""}),
        ("GET", f"/api/documents/{secret}", None),
        ("GET", f"/api/documents/{secret}/text", None),
        ("GET", f"/api/documents/{secret}/original", None),
    ):
        answer = bo.request(method, path, json=body)
        assert answer.status_code == 404, (method, path)
        assert answer.headers["content-type"] == "application/problem+json"
    assert bo.get("/api/sessions").json() == []


def test_only_ones_own_assistants_are_offered(browser):
    offered = browser("ana").get("/api/assistants").json()
    assert [one["id"] for one in offered] == ["care", "writer", "careful", "de"]
    assert offered[0]["model"] is None
    assert offered[0]["department"] == {"id": "care", "name": "Customer Care"}
    assert browser("dee").get("/api/assistants").json() == []
    assert browser("dee").post("/api/sessions", json={"assistant": "care"}).status_code == 403


def test_a_spent_budget_is_a_problem_with_the_budget_and_when_it_starts_anew(browser, place):
    budget = Budget("care-month", "Care", "department:care", Money(1000))
    place.gateway.statuses = [BudgetStatus(budget, "2026-11", 1000, 0, "exhausted", now() + timedelta(days=3))]
    client = browser()
    answer = client.post(f"/api/sessions/{opened(client, 'writer')}/messages", json={"text": HOW_OFTEN})
    assert answer.status_code == 429
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:strata:problem:budget-exhausted"
    assert answer.json()["budget"] == "care-month"
    assert answer.json()["resets_at"].endswith("Z")


def test_a_neighbour_that_is_away_is_told_with_when_to_try_again(browser, place):
    place.gateway.embed_refusal = Unavailable("the embedder is away", retry_after=7)
    client = browser()
    answer = client.post(f"/api/sessions/{opened(client)}/messages", json={"text": HOW_OFTEN})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "7"


def test_an_answer_that_breaks_off_ends_with_the_problem(browser, place):
    place.gateway.refusal = StrataError("the model fell over")
    assert asked(browser(), HOW_OFTEN, "writer")[-1] == {"type": "error", "problem": place.gateway.refusal.problem()}


def test_an_error_that_nobody_foresaw_shows_an_id_and_nothing_else(browser, place):
    place.library.shelf = None
    answer = browser().get("/api/documents")
    assert answer.status_code == 500
    assert answer.json()["id"] == answer.headers["x-request-id"]
    assert "NoneType" not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/nothing", None, 404),
        ("DELETE", "/api/me", None, 405),
        ("POST", "/api/sessions", b"{not json", 422),
        ("POST", "/api/sessions", b'{"assistent": "care"}', 422),
        ("POST", "/api/sessions", b'{"assistant": "nobody"}', 404),
        ("GET", "/api/usage?days=0", None, 422),
        ("GET", "/api/usage?by=shoe-size", None, 422),
        ("POST", "/api/sessions", b'{"assistant": "' + b"x" * 1_100_000 + b'"}', 413),
    ],
)
def test_every_mistake_is_a_problem_that_says_what_is_wrong(browser, method, path, body, status):
    answer = browser().request(method, path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:strata:problem:")
    assert problem["detail"]
    assert problem["title"]


def test_a_document_is_sent_listed_read_and_removed(browser):
    client = browser()
    sent = client.post(
        "/api/documents",
        files={"file": ("C:\\notes\\../new <note>.txt", b"The hose is two metres long.", "text/plain")},
        data={"corpus": "manuals", "readers": ["care", "board"], "classification": "confidential"},
    )
    assert sent.status_code == 202
    document = sent.json()
    assert document["source"] == "new _note_.txt"
    assert document["readers"] == ["board", "care"]
    assert document["classification"] == "confidential"
    assert client.get(f"/api/documents/{document['id']}").json()["title"] == "new _note_.txt"
    assert client.post(f"/api/documents/{document['id']}/retry").status_code == 202
    assert client.delete(f"/api/documents/{document['id']}").status_code == 204
    assert client.get(f"/api/documents/{document['id']}").status_code == 404


def test_a_file_over_the_limit_is_refused_before_it_is_read(place, links):
    small = app(place.desk, place.library, place.ledger, place.door, replace(OPTIONS, max_upload=1000))
    client = TestClient(small, headers=OURS)
    client.post("/api/sign-in", json={"token": links["ana"]})
    before = len(place.library.shelf)
    sent = client.post("/api/documents", files={"file": ("big.txt", b"x" * 200_000)}, data={"corpus": "manuals"})
    assert sent.status_code == 413
    barely = client.post("/api/documents", files={"file": ("big.txt", b"x" * 1_001)}, data={"corpus": "manuals"})
    assert barely.status_code == 413
    empty = client.post("/api/documents", files={"file": ("empty.txt", b"")}, data={"corpus": "manuals"})
    assert empty.status_code == 422
    assert len(place.library.shelf) == before


@pytest.mark.parametrize(
    ("media", "shown"), [("application/pdf", "inline"), ("text/html", "attachment"), ("image/svg+xml", "attachment")]
)
def test_a_hostile_original_cannot_run_as_ours(browser, place, media, shown):
    document = place.library.put("trap ü.bin", "x", media=media, data=b"<script>alert(1)</script>")
    answer = browser().get(f"/api/documents/{document.id}/original")
    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["content-disposition"] == f"{shown}; filename*=UTF-8''trap%20%C3%BC.bin"
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_collections_say_where_one_may_add(browser):
    assert browser("ana").get("/api/corpora").json() == [
        {"id": "manuals", "name": "Manuals", "department": "care", "may_upload": True},
        {"id": "board", "name": "Board papers", "department": "care", "may_upload": True},
    ]
    assert browser("dee").get("/api/corpora").json() == [
        {"id": "manuals", "name": "Manuals", "department": "care", "may_upload": False}
    ]


def test_usage_is_shown_with_names_and_budgets(browser, place):
    budget = Budget("care-month", "Care", "department:care", Money(1000))
    place.ledger.statuses = [BudgetStatus(budget, "2026-11", 400, 10, "ok", now())]
    report = browser().get("/api/usage?by=department&days=7").json()
    assert report["rows"][0]["name"] == "Customer Care"
    assert report["from"] <= report["till"]
    assert report["budgets"][0]["department"] == "care"
    assert report["budgets"][0]["reserved_micros"] == 10


def test_the_page_is_served_for_every_address_of_its_own_under_strict_rules(stranger):
    for path in ("/", "/sign-in", "/chat/ses_1"):
        page = stranger.get(path)
        assert page.status_code == 200
        assert "<title>Strata</title>" in page.text
        policy = page.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "script-src 'self' 'wasm-unsafe-eval';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "object-src 'none'" in policy
        assert page.headers["referrer-policy"] == "no-referrer"
    script = stranger.get("/assets/main.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "immutable" in script.headers["cache-control"]


@pytest.mark.parametrize(
    "path", ["/assets/none.js", "/../conftest.py", "/%2e%2e/%2e%2e/etc/passwd", "/..%2fsecret.txt"]
)
def test_no_file_outside_the_web_application_is_served(stranger, web, path):
    (web.parent / "secret.txt").write_text("hidden words")
    answer = stranger.get(path)
    assert answer.status_code in {200, 404}
    assert "hidden words" not in answer.text
    assert "root:" not in answer.text


def test_the_description_names_every_schema_and_operation(stranger):
    document = stranger.get("/api/openapi.json").json()
    names = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))
    assert {"sign_in", "ask", "upload_document", "give_feedback", "usage"} <= set(names)
    schemas = document["components"]["schemas"]
    assert {"Me", "Assistant", "SessionDetail", "Message", "Citation", "Document", "UsageReport", "Problem"} <= set(
        schemas
    )
    assert not [name for name in schemas if "-" in name or "Validation" in name]
    assert set(schemas["Citation"]["required"]) == set(schemas["Citation"]["properties"])
    for methods in document["paths"].values():
        for operation in methods.values():
            assert "application/problem+json" in operation["responses"]["default"]["content"]


def test_health_needs_nobody(stranger):
    assert stranger.get("/healthz").json() == {"status": "ok"}


async def test_a_browser_that_goes_away_stops_the_answer_and_what_was_said_is_kept(made, place, links):
    place.gateway.script = "The pump PX-7 must be cleaned every 14 days. The filter"
    place.gateway.endless = True
    ana = place.person("ana")
    session = (await place.desk.open(ana, "writer")).id
    cookie, _ = await place.door.enter(links["ana"])
    spoken = asyncio.Event()
    incoming = [{"type": "http.request", "body": json.dumps({"text": HOW_OFTEN}).encode(), "more_body": False}]

    async def receive():
        if incoming:
            return incoming.pop()
        await spoken.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        if b'"sentence"' in message.get("body", b""):
            spoken.set()

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": f"/api/sessions/{session}/messages",
        "raw_path": b"",
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"content-type", b"application/json"),
            (b"x-strata", b"web"),
            (b"cookie", f"strata_session={cookie}".encode()),
        ],
        "client": ("192.0.2.1", 1),
        "server": ("localhost", 80),
    }
    await made(scope, receive, send)
    await place.desk.close()
    _, answer = await place.desk.messages(ana, session)
    assert answer.outcome == "stopped"
    assert answer.text == "The pump PX-7 must be cleaned every 14 days."

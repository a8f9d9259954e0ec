"""Keys and passwords neither reach a vendor nor come back: the guardrail `secrets` through its public face."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from strata.errors import Misconfigured, Refused
from strata.gateway.guardrail import Submission, Text
from strata.gateway.guardrails.secrets import make
from strata.types import Subject

RANDOM = "q7Xw2LmZ9vKc4TnB8yRd3HsF6jPg1QaW5eUoN0iV"
KEYS = {
    "AWS access key": "AKIA" + "IOSFODNN7EXAMPLE",
    "GitHub token": "ghp_" + RANDOM[:36],
    "GitLab token": "glpat-" + RANDOM[:20],
    "Slack token": "xoxb-" + "123456789012-" + RANDOM[:24],
    "Stripe key": "sk_live_" + RANDOM[:24],
    "Google API key": "AIza" + RANDOM[:35],
    "OpenAI key": "sk-proj-" + RANDOM,
    "Anthropic key": "sk-ant-api03-" + RANDOM,
    "Strata key": "sk-strata-" + RANDOM[:24],
    "JSON web token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9." + RANDOM,
    "private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQ\nabc123==\n-----END RSA PRIVATE KEY-----",
}


def submission(*texts: str) -> Submission:
    holder = list(texts)
    places = [Text("input", str(at), holder, at) for at in range(len(holder))]
    return Submission(Subject("cryodyne", "research", "ines"), "chat", {}, 1, texts=places)


async def masked(text: str, **options: Any) -> tuple[str, Submission]:
    sent = submission(text)
    await make(options).request(sent)
    return sent.texts[0].value, sent


async def answered(pieces: list[str], **options: Any) -> str:
    watch = make(options).answer(submission())
    assert watch is not None
    said = ""
    for piece in pieces:
        said += await watch.piece(Text("output", "0", {"text": piece}, "text"))
    return said + await watch.end("0")


@pytest.mark.parametrize("kind", KEYS)
async def test_a_key_is_known_by_its_form(kind):
    text, sent = await masked(f"Use {KEYS[kind]} for it.")
    assert text == f"Use [secret: {kind}] for it."
    assert [finding.reason for finding in sent.findings] == [f"secret: {kind}"]


@pytest.mark.parametrize(
    "text",
    [
        "password = hunter2!x",
        'DB_PASSWORD="s3cr3t-Pa55"',
        "the password is Tr0ub4dor&3",
        "aws_secret_access_key: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "postgresql://admin:s3cr3t@db.internal:5432/app",
        f"Authorization: Bearer {RANDOM}",
        f"https://api.example.com/v1?access_token={RANDOM}",
        '{"client_secret": "8f3kd92ls0Qm"}',
        "Das Passwort lautet Gr8-Winter.22",
        "contraseña: Madrid2024!",
    ],
)
async def test_a_value_is_a_secret_by_what_stands_before_it(text):
    hidden, sent = await masked(text)
    assert "[secret: " in hidden
    assert len(sent.findings) == 1


@pytest.mark.parametrize(
    "text",
    [
        "How do I reset my password?",
        "password: <your password>",
        "api_key = os.environ['KEY']",
        "The token is invalid. The secret is out.",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "request id 123e4567-e89b-12d3-a456-426614174000",
        "https://example.org/a?page=2&key=name",
        "A token bucket limits requests; the password policy is strict.",
        "max_tokens: 4096",
    ],
)
async def test_what_only_looks_like_a_secret_is_left_alone(text):
    assert (await masked(text))[0] == text


async def test_refusing_names_the_kind_and_not_the_key():
    with pytest.raises(Refused) as refusal:
        await masked(f"key {KEYS['GitHub token']}", action="refuse")
    assert "GitHub token" in str(refusal.value)
    assert KEYS["GitHub token"] not in str(refusal.value)


async def test_what_an_operator_allows_passes():
    assert (await masked(KEYS["AWS access key"], allow=["AKIA.*EXAMPLE"]))[0] == KEYS["AWS access key"]


async def test_an_answer_that_is_refused_stops_before_the_key():
    watch = make({"action": "refuse"}).answer(submission())
    said = await watch.piece(Text("output", "0", {"t": "Here: " + KEYS["GitHub token"][:20]}, "t"))
    assert said == "Here: "
    with pytest.raises(Refused):
        await watch.piece(Text("output", "0", {"t": KEYS["GitHub token"][20:] + " and"}, "t"))


async def test_answers_are_not_watched_where_that_is_turned_off():
    assert make({"answers": False}).answer(submission()) is None


@pytest.mark.parametrize(
    "options", [{"action": "flag"}, {"answers": 1}, {"allow": ["("]}, {"allow": "x"}, {"colour": 1}]
)
def test_a_mistake_in_the_options_is_named(options):
    with pytest.raises(Misconfigured):
        make(options)


WORDS = [*KEYS.values(), "password", "password:", "=", "is", "hunter2!x", "Bearer", RANDOM, "\n", "api_key", '"', "a", "the", "postgres://u:p4ss@h", "token", ":", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "clave es"]  # fmt: skip


@given(
    some.lists(some.sampled_from(WORDS), max_size=10),
    some.lists(some.integers(0, 400), max_size=8),
    some.sampled_from([" ", "", "  "]),
)
@settings(max_examples=400)
async def test_pieces_cut_anywhere_give_the_same_answer(parts, cuts, between):
    text = between.join(parts)
    places = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    pieces = [text[start:end] for start, end in pairwise(places)]
    assert await answered(pieces) == (await masked(text))[0]
    assert await answered(list(text)) == (await masked(text))[0]

"""What a question in SPARQL may not hold, found by reading it token by token as the grammar does."""

from __future__ import annotations

import re

from strata.errors import Invalid

TOKEN = re.compile(
    r"""
      (?P<text>'{3}(?:[^'\\]|\\.|'(?!''))*'{3} | "{3}(?:[^"\\]|\\.|"(?!""))*"{3}
              | '(?:[^'\\\n\r]|\\.)*' | "(?:[^"\\\n\r]|\\.)*")
    | (?P<iri><[^<>"{}|^`\\\x00-\x20]*>)
    | (?P<comment>\#[^\n\r]*)
    | (?P<variable>[?$]\w+)
    | (?P<language>@[A-Za-z]+(?:-[A-Za-z0-9]+)*)
    | (?P<prefixed>(?:[^\W\d_](?:[\w.-]*[\w-])?)?:(?:[\w:.%-]|\\.)* | _:[\w.-]+)
    | (?P<word>[^\W\d]\w*)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
REFUSED = {"FROM": "which documents a question sees is decided by access", "SERVICE": "no question leaves this store"}


def checked(sparql: str) -> str:
    """The question itself, or `Invalid` when it says FROM or SERVICE, or hides a word in a backslash-u escape."""
    if re.search(r"\\[uU]", sparql):
        raise Invalid("write characters as themselves; \\u escapes are not taken")
    for token in TOKEN.finditer(sparql):
        if token.lastgroup == "word" and token.group().upper() in REFUSED:
            word = token.group().upper()
            raise Invalid(f"{word} is not allowed here: {REFUSED[word]}")
    return sparql

"""Finds keys, tokens and passwords: by the form that their maker gave them, or by the name that stands before them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

FORMS: tuple[tuple[str, str], ...] = (
    (
        "private key",
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
    ),
    ("AWS access key", r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z2-7]{16}(?![A-Za-z0-9])"),
    ("Google API key", r"(?<![\w-])AIza[\w-]{35}(?![\w-])"),
    ("Google OAuth token", r"(?<![\w-])ya29\.[\w-]{20,}"),
    ("Google OAuth secret", r"(?<![\w-])GOCSPX-[\w-]{20,}"),
    ("GitHub token", r"(?<!\w)(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{40,})"),
    ("GitLab token", r"(?<![\w-])gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat)-[\w-]{18,}"),
    ("Slack token", r"(?<![\w-])xox[abeoprs]-[\w-]{10,}"),
    ("Slack webhook", r"https://hooks\.slack\.com/(?:services|workflows)/[\w/-]{20,}"),
    ("Stripe key", r"(?<!\w)(?:sk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{20,}"),
    ("Strata key", r"(?<![\w-])sk-strata-[\w-]{8,}"),
    ("Anthropic key", r"(?<![\w-])sk-ant-[\w-]{16,}"),
    ("OpenAI key", r"(?<![\w-])sk-(?:proj-|svcacct-|admin-|or-v1-)?[\w-]{20,}"),
    ("Groq key", r"(?<!\w)gsk_[A-Za-z0-9]{30,}"),
    ("Hugging Face token", r"(?<!\w)hf_[A-Za-z0-9]{30,}"),
    ("npm token", r"(?<!\w)npm_[A-Za-z0-9]{36}"),
    ("PyPI token", r"(?<![\w-])pypi-[\w-]{50,}"),
    ("SendGrid key", r"(?<![\w.])SG\.[\w-]{16,}\.[\w-]{16,}"),
    ("Twilio key", r"(?<!\w)(?:SK|AC)[0-9a-f]{32}(?!\w)"),
    ("Telegram bot token", r"(?<![\w:])\d{8,10}:AA[\w-]{33}(?![\w-])"),
    ("DigitalOcean token", r"(?<!\w)do[opr]_v1_[0-9a-f]{64}"),
    ("Shopify token", r"(?<!\w)shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    ("Vault token", r"(?<![\w.])hv[sbr]\.[\w-]{20,}"),
    ("Databricks token", r"(?<!\w)dapi[0-9a-f]{32}"),
    ("age key", r"(?<!\w)AGE-SECRET-KEY-1[0-9A-Z]{50,}"),
    ("JSON web token", r"(?<![\w.-])eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*"),
)
FORM = re.compile("|".join(rf"(?P<f{number}>{form})" for number, (_, form) in enumerate(FORMS)))
BLOCK = re.compile(r"-----BEGIN[A-Z0-9 ]*-{0,5}")
BLOCK_OF_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
BLOCK_END = re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
HINTS = re.compile(
    r"-----BEGIN|A[KSBC]IA|ACCA|AROA|AIDA|AIza|ya29|GOCSPX|gh[pousr]_|github_pat|gl\w+-|xox|hooks\.slack|[srk]k_|whsec|sk-|gsk_|hf_|npm_|pypi-|SG\.|SK|AC|:AA|do\w_v1|shp|hv[sbr]\.|dapi|AGE-|eyJ"
)
NAME = (
    r"(?:[\w.-]{0,24}(?:password|passwort|passwd|passphrase|kennwort|contrase[ñn]a|clave|secret|api[_-]?key|apikey|access[_-]?key|auth[_-]?key|private[_-]?key"
    r"|account[_-]?key|signing[_-]?key|encryption[_-]?key|token|credentials?)[\w.-]{0,12}|(?<![\w])(?:pwd|pass|pw|psk|pin))"
)
NAMED = re.compile(
    rf"(?<![\w.-])(?P<name>{NAME})[\"'`]?\s{{0,3}}(?:(?P<sign>[:=]{{1,2}}>?)|(?P<said>is|lautet|es|ist))\s{{0,3}}(?P<quote>[\"'`]?)(?P<value>[^\s\"'`,;<>(){{}}\[\]]{{4,200}})",
    re.IGNORECASE,
)
BEARER = re.compile(r"(?<!\w)(?:bearer|basic|token|apikey)\s{1,3}(?P<value>[\w+/.~=-]{16,})", re.IGNORECASE)
IN_URL = re.compile(r"(?<!\w)[a-z][a-z0-9+.-]{1,20}://[^\s:/@\"']{0,80}:(?P<value>[^\s@\"']{2,120})@", re.IGNORECASE)
PARAMETER = re.compile(
    r"[?&](?:sig|signature|access_token|api_key|apikey|key|token|secret|password|x-amz-signature|code)=(?P<value>[\w%+/.~=-]{8,})",
    re.IGNORECASE,
)
HEADS = re.compile(
    rf"(?:(?<![\w.-]){NAME}[\"'`]?\s{{0,3}}(?:[:=]{{0,2}}>?|is|i|lautet|es|ist)\s{{0,3}}[\"'`]?|(?<!\w)(?:bearer|basic|token|apikey)\s{{0,3}})\Z",
    re.IGNORECASE,
)
PLAIN = re.compile(
    r"(?:true|false|null|none|nil|undefined|required|optional|string|str|int|your\w*|my\w*|the|a|an|not|in|for|and|changeme|example\w*|placeholder|redacted|hidden|x{3,}|\*+|\.+|<.*|\$\{?[\w.]+\}?|%\w+%|\{\{.*|os\.\w+.*"
    r"|process\.env.*|getenv.*|env\.\w+|self\.\w+|config\.\w+|settings\.\w+|request\.\w+|\w+\(.*|type|field|reset|manager|policy|length|expired|invalid|wrong|incorrect|stored|used|needed|missing|valid)\W*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Secret:
    """Characters `start` to `end` of a text are a secret of this kind."""

    start: int
    end: int
    kind: str


def secrets(text: str) -> list[Secret]:
    """Secrets in order; none overlaps another."""
    found = sorted(_all(text), key=lambda secret: (secret.start, -secret.end))
    apart: list[Secret] = []
    for secret in found:
        if apart and secret.start < apart[-1].end:
            if secret.end > apart[-1].end:
                apart[-1] = Secret(apart[-1].start, secret.end, apart[-1].kind)
        else:
            apart.append(secret)
    return apart


def _all(text: str) -> Iterator[Secret]:
    if HINTS.search(text):
        for one in FORM.finditer(text):
            yield Secret(one.start(), one.end(), FORMS[int((one.lastgroup or "f0")[1:])][0])
    for one in NAMED.finditer(text):
        value = one["value"].rstrip(".!?")
        if _secret_value(value, said=bool(one["said"]), name=one["name"]):
            yield Secret(one.start("value"), one.start("value") + len(value), "password or key")
    for one in BEARER.finditer(text):
        if random_looking(one["value"]):
            yield Secret(one.start("value"), one.end("value"), "bearer token")
    if "://" in text:
        for one in IN_URL.finditer(text):
            if not PLAIN.fullmatch(one["value"]):
                yield Secret(one.start("value"), one.end("value"), "password in an address")
    if "=" in text:
        for one in PARAMETER.finditer(text):
            if random_looking(one["value"]):
                yield Secret(one.start("value"), one.end("value"), "token in an address")


def _secret_value(value: str, said: bool, name: str) -> bool:
    """A value after a telling name: after a sign nearly everything, after "is" only what is no ordinary word."""
    if len(value) < 4 or PLAIN.fullmatch(value):
        return False
    mixed = sum(
        (any(map(str.islower, value)), any(map(str.isupper, value)), any(map(str.isdigit, value)), not value.isalnum())
    )
    if (
        name.lower().endswith(("token", "tokens", "clave", "credential", "credentials", "secret", "pass", "pin"))
        or said
    ):
        return mixed >= 2 and (any(map(str.isdigit, value)) or mixed >= 3)
    return mixed >= 2 or len(value) >= 6


def random_looking(value: str) -> bool:
    """Whether the letters are spread as in a key: at least 3 bits each (Shannon), with digits or both cases."""
    counts = Counter(value)
    bits = -sum(count / len(value) * math.log2(count / len(value)) for count in counts.values())
    kinds = any(map(str.isdigit, value)) + any(map(str.isupper, value)) + any(map(str.islower, value))
    return bits >= 3.0 and kinds >= 2


def decided(text: str) -> int:
    """Up to where later text cannot change what is a secret: before the last word, the names that would announce it
    and a key block that is still open.
    """
    cut, before = _word(text, len(text)), -1
    while cut != before:
        before = cut
        head = HEADS.search(text, max(0, cut - 120), cut)
        if head:
            cut = _word(text, head.start())
        block = _before_open_block(text, cut)
        if block < cut:
            cut = _word(text, block)
    return cut


def _word(text: str, end: int) -> int:
    """Where the word begins that `end` stands in or behind."""
    return next((at + 1 for at in range(end - 1, -1, -1) if text[at].isspace()), 0)


def _before_open_block(text: str, cut: int) -> int:
    at = 0
    while (head := BLOCK.search(text, at, cut)) is not None:
        at = head.end()
        if at < cut and not BLOCK_OF_KEY.fullmatch(head.group()):
            continue
        end = BLOCK_END.search(text, at, cut)
        if end is None:
            return head.start()
        at = end.end()
    return cut

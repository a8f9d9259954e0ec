"""Signs requests to AWS: Signature Version 4, as its services other than S3 want it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request is signed with; `expires` is None for keys that stay."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)
    expires: datetime | None = None


def sign(
    credentials: Credentials,
    region: str,
    service: str,
    at: datetime,
    method: str,
    host: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
) -> dict[str, str]:
    """The headers to send: those given, all of them signed, with the signature and its date. `host` as in the header
    of that name, `path` as it is sent: escaped, and with its query, whose names must be in order; `at` in UTC.
    """
    stamp = at.strftime("%Y%m%dT%H%M%SZ")
    day = stamp[:8]
    own = {**{name.lower(): value for name, value in headers.items()}, "x-amz-date": stamp}
    if credentials.session_token:
        own["x-amz-security-token"] = credentials.session_token
    signed = {**own, "host": host}
    names = ";".join(sorted(signed))
    route, _, query = path.partition("?")
    canonical = "\n".join([
        method, quote(route or "/", safe="/~"), query,
        *(f"{name}:{' '.join(signed[name].split())}" for name in sorted(signed)), "",
        names, hashlib.sha256(body).hexdigest(),
    ])  # fmt: skip
    scope = f"{day}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    signature = hmac.new(_key(credentials.secret_key, day, region, service), text.encode(), hashlib.sha256).hexdigest()
    own["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return own


@lru_cache(maxsize=64)
def _key(secret: str, day: str, region: str, service: str) -> bytes:
    """The key of a day; it changes with the day only, and making it costs four hashes."""
    key = ("AWS4" + secret).encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key

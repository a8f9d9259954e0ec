"""Signatures for AWS, held against botocore's own."""

from __future__ import annotations

from datetime import UTC, datetime
from unittest.mock import patch
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata.gateway.wire.sigv4 import Credentials, sign

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1).map(lambda name: f"x-amzn-{name}")
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126))
PATHS = st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(quote(part, safe="") for part in parts if part not in {".", ".."})
)


def botocores(credentials: Credentials, method: str, url: str, headers: dict[str, str], body: bytes) -> str:
    auth = pytest.importorskip("botocore.auth")
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials as Keys

    keys = Keys(credentials.access_key, credentials.secret_key, credentials.session_token or None)
    request = AWSRequest(method=method, url=url, headers=headers, data=body)
    now = "get_current_datetime" if hasattr(auth, "get_current_datetime") else "datetime"
    with patch.object(auth, now, lambda *_: AT.replace(tzinfo=None)):
        auth.SigV4Auth(keys, "bedrock", "eu-central-1").add_auth(request)
    return request.headers["Authorization"]


@given(PATHS, st.dictionaries(NAMES, VALUES, max_size=3), st.binary(), st.sampled_from(["", "a+/token=="]))
def test_a_request_is_signed_as_botocore_signs_it(path: str, headers: dict[str, str], body: bytes, token: str):
    credentials = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG", token)
    host = "bedrock-runtime.eu-central-1.amazonaws.com"
    ours = sign(credentials, "eu-central-1", "bedrock", AT, "POST", host, path, headers, body)
    assert ours["authorization"] == botocores(credentials, "POST", f"https://{host}{path}", headers, body)
    assert ours.get("x-amz-security-token", "") == token


def test_a_query_and_a_port_are_signed_too():
    credentials = Credentials("AKIDEXAMPLE", "secret")
    path = "/?Action=AssumeRole&Version=2011-06-15"
    ours = sign(credentials, "eu-central-1", "bedrock", AT, "GET", "127.0.0.1:5000", path, {}, b"")
    assert ours["authorization"] == botocores(credentials, "GET", f"http://127.0.0.1:5000{path}", {}, b"")


def test_a_secret_key_is_in_no_description():
    assert "hush" not in repr(Credentials("AKID", "hush", "hush"))

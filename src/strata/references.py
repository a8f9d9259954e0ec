"""Resolves references, so that no secret has to stand in the settings.

    env:NAME                      the environment
    file:PATH                     a file, relative to the settings; white space around its content is cut off
    secret:aws/NAME#FIELD         AWS Secrets Manager, as `[secrets.aws]` says: `region`, and where its keys come from
                                  (`access_key` and `secret_key`, or `credentials`, as for Bedrock)
    secret:vault/PATH#FIELD       HashiCorp Vault or OpenBao, as `[secrets.vault]` says: `address`, `namespace`, and
                                  `token`, or `role_id` and `secret_id` (AppRole), or `role` and `jwt` (Kubernetes).
                                  The path is the API's: `secret/data/strata` for a version 2 store at `secret`

Without `#FIELD` the whole secret is meant, which must then be a text, or hold one field only. Each secret is fetched once
for all references to it; a reload of the settings fetches it anew.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from strata.errors import Invalid, StrataError
from strata.gateway.wire import awskeys
from strata.gateway.wire.connection import Host
from strata.gateway.wire.sigv4 import sign
from strata.gateway.wire.upstream import Upstream, address_mistakes

TIMEOUT = 10.0
MAX_SECRET = 1024 * 1024

Fetch = Callable[[Mapping[str, Any], str], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class References:
    """`anchor` is the folder that files are relative to; mistakes are appended to `wrong`. `stores` are the tables under
    `[secrets]`, whose own values may be references to the environment and to files.
    """

    environ: Mapping[str, str]
    anchor: Path
    wrong: list[str]
    stores: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    _fetched: dict[str, Any] = field(default_factory=dict, repr=False)

    def inside(self, options: Mapping[str, Any], place: str) -> dict[str, Any]:
        return {name: self.text(value, f"{place}.{name}") for name, value in options.items()}

    def text(self, value: Any, place: str) -> Any:
        """The value, with every reference inside it resolved; what cannot be is empty, and its mistake told."""
        if isinstance(value, dict):
            return self.inside(value, place)
        if isinstance(value, list):
            return [self.text(item, f"{place}[{index}]") for index, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        kind, _, rest = value.partition(":")
        if kind == "env" and re.fullmatch(r"[A-Za-z_]\w*", rest):
            if not self.environ.get(rest):
                self.wrong.append(f"{place}: the environment variable {rest} is not set")
            return self.environ.get(rest, "")
        if kind == "file":
            file = self.anchor / Path(rest).expanduser()
            if not file.is_file():
                self.wrong.append(f"{place}: there is no file {str(file)!r}")
                return ""
            return file.read_text(encoding="utf-8").strip()
        if kind == "secret" and "/" in rest:
            try:
                return self._secret(rest)
            except StrataError as error:
                self.wrong.append(f"{place}: {error.detail}")
                return ""
        return value

    def _secret(self, rest: str) -> str:
        """Raises `Invalid` or whatever the store does."""
        where, _, name = rest.partition("#")
        store, _, path = where.partition("/")
        if store not in STORES:
            raise Invalid(f"there is no secret store {store!r}; there are {sorted(STORES)}")
        if store not in self.stores:
            raise Invalid(f"secret:{store}/… needs a table [secrets.{store}]")
        if where not in self._fetched:
            options = self.inside(self.stores[store], f"secrets.{store}")
            self._fetched[where] = _waited(STORES[store](options, path))
        return _field(self._fetched[where], name, where)


def _waited(work: Awaitable[Any]) -> Any:
    """The result of asynchronous work, for a caller that is not, whether or not a loop runs in its thread."""

    async def done() -> Any:
        return await work

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(done())).result()


def _field(secret: Any, name: str, where: str) -> str:
    if isinstance(secret, str):
        try:
            held = json.loads(secret)
        except ValueError:
            held = None
        if not isinstance(held, dict):
            if name:
                raise Invalid(f"the secret {where!r} is a text without fields, so it has no {name!r}")
            return secret.strip()
        secret = held if name else {"": secret.strip()}
    if not name and len(secret) == 1:
        (value,) = secret.values()
    elif name in secret:
        value = secret[name]
    else:
        raise Invalid(f"the secret {where!r} has no field {name!r}; it has {sorted(secret)}")
    return str(value)


# ------------------------------------------------------------------ the stores


async def _aws(options: Mapping[str, Any], name: str) -> Any:
    """https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html"""
    region = str(options.get("region") or "")
    wrong = [] if region else ["secrets.aws.region is missing"]
    keys = awskeys.keys(options, region, wrong)
    url = str(options.get("address") or f"https://secretsmanager.{region}.{awskeys.domain(region)}")
    if keys is None or wrong:
        raise Invalid("; ".join(wrong))
    upstream = _reached("AWS Secrets Manager", url)
    body = json.dumps({"SecretId": name}).encode()
    asked = {"content-type": "application/x-amz-json-1.1", "x-amz-target": "secretsmanager.GetSecretValue"}
    try:
        held = await keys.current()
        host = upstream.host.authority
        headers = sign(held, region, "secretsmanager", datetime.now(UTC), "POST", host, "/", asked, body)
        reply = await upstream.send("POST", "/", body, headers, asked["content-type"])
        value = upstream.object(reply.data).get("SecretString")
    finally:
        await upstream.close()
        await keys.close()
    if not isinstance(value, str):
        raise Invalid(f"the secret {name!r} in AWS Secrets Manager holds no text")
    return value


async def _vault(options: Mapping[str, Any], path: str) -> Any:
    """https://developer.hashicorp.com/vault/api-docs"""
    address = str(options.get("address") or "").rstrip("/")
    if wrong := address_mistakes(address):
        raise Invalid(f"secrets.vault.address: {'; '.join(wrong)}")
    upstream = _reached("Vault", address)
    headers = {"x-vault-namespace": str(options["namespace"])} if options.get("namespace") else {}
    try:
        token = str(options.get("token") or "") or await _login(upstream, options, headers)
        reply = await upstream.send("GET", f"/v1/{path}", b"", {**headers, "x-vault-token": token})
        data = upstream.object(reply.data).get("data")
    finally:
        await upstream.close()
    if isinstance(data, dict) and isinstance(data.get("data"), dict) and "metadata" in data:
        data = data["data"]
    if not isinstance(data, dict):
        raise Invalid(f"there is nothing at {path!r} in Vault")
    return data


async def _login(upstream: Upstream, options: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    if options.get("role_id"):
        at, asked = "approle", {name: str(options.get(name) or "") for name in ("role_id", "secret_id")}
    elif options.get("role"):
        at, asked = "kubernetes", {name: str(options.get(name) or "") for name in ("role", "jwt")}
    else:
        raise Invalid("secrets.vault needs token, or role_id and secret_id, or role and jwt")
    mount = str(options.get("mount") or at).strip("/")
    answer = await upstream.json(f"/v1/auth/{mount}/login", asked, headers)
    auth = answer.get("auth")
    if not isinstance(auth, dict) or not auth.get("client_token"):
        raise Invalid("Vault let us in without a token")
    return str(auth["client_token"])


def _reached(name: str, url: str) -> Upstream:
    return Upstream(name, Host(url.rstrip("/")), {}, TIMEOUT, TIMEOUT, TIMEOUT, max_response=MAX_SECRET)


STORES: dict[str, Fetch] = {"aws": _aws, "vault": _vault}

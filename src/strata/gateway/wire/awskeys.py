"""Where the keys for AWS come from, and how they are renewed before they expire.

Nothing is looked up by itself: the options say where, and hold what they need as references (`env:…`, `file:…`).

    access_key, secret_key, session_token       keys that stay
    credentials = "container"                   ECS tasks and EKS pods: `credentials_uri` (the environment's
                                                AWS_CONTAINER_CREDENTIALS_FULL_URI, or the relative one),
                                                `credentials_token_file` (…AUTHORIZATION_TOKEN_FILE) or `credentials_token`
    credentials = "instance"                    EC2's metadata service, version 2
    credentials = "web_identity"                `role_arn`, `token_file` (AWS_WEB_IDENTITY_TOKEN_FILE)
    assume_role = "arn:…"                       with any of these: a role in another account; `external_id`

`sts_url` replaces the address of STS in the region.
"""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

from strata.errors import StrataError, UpstreamBroken
from strata.gateway.wire.connection import Host
from strata.gateway.wire.sigv4 import Credentials, sign
from strata.gateway.wire.upstream import Upstream

AHEAD = timedelta(minutes=5)
"""How long before they expire keys are renewed."""

LINK_LOCAL = {"169.254.170.2", "169.254.170.23", "fd00:ec2::23", "127.0.0.1", "localhost", "::1"}
"""Where a container's keys may be fetched without TLS."""

METADATA = "http://169.254.169.254"
SESSION = "strata-gateway"
TIMEOUT = 10.0


def now() -> datetime:
    return datetime.now(UTC)


class Source(Protocol):
    """Fetches keys. Raises `UpstreamBroken`."""

    async def fetch(self) -> Credentials: ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class Keys:
    """The keys that are valid now; fetched once for all calls that wait for them."""

    source: Source
    clock: Callable[[], datetime] = now
    _held: Credentials | None = field(default=None, repr=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def current(self) -> Credentials:
        """Raises `UpstreamBroken` where there are none and none can be fetched."""
        held = self._held
        if held is not None and (held.expires is None or self.clock() < held.expires - AHEAD):
            return held
        async with self._lock:
            held = self._held
            if held is not None and (held.expires is None or self.clock() < held.expires - AHEAD):
                return held
            try:
                self._held = await self.source.fetch()
            except StrataError:
                if held is None or held.expires is None or self.clock() >= held.expires:
                    raise
                return held
            return self._held

    async def close(self) -> None:
        await self.source.close()


@dataclass(frozen=True, slots=True)
class Static:
    """Keys that stay as they are."""

    credentials: Credentials

    async def fetch(self) -> Credentials:
        return self.credentials

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Container:
    """The keys of an ECS task or an EKS pod, from the address that AWS put into its environment."""

    upstream: Upstream
    path: str
    token: str = field(default="", repr=False)
    token_file: str = ""

    async def fetch(self) -> Credentials:
        token = await _read(self.token_file) if self.token_file else self.token
        reply = await self.upstream.send("GET", self.path, headers={"authorization": token} if token else None)
        return _credentials(self.upstream.object(reply.data), self.upstream.name)

    async def close(self) -> None:
        await self.upstream.close()


@dataclass(frozen=True, slots=True)
class Instance:
    """The keys of an EC2 instance's role."""

    upstream: Upstream

    async def fetch(self) -> Credentials:
        asked = {"x-aws-ec2-metadata-token-ttl-seconds": "300"}
        token = (await self.upstream.send("PUT", "/latest/api/token", headers=asked)).data.decode("ascii", "replace")
        given = {"x-aws-ec2-metadata-token": token}
        folder = "/latest/meta-data/iam/security-credentials/"
        role = (await self.upstream.send("GET", folder, headers=given)).data.decode("ascii", "replace").split()
        if not role:
            raise UpstreamBroken("this instance has no role; attach one, or set the keys in the options")
        reply = await self.upstream.send("GET", folder + role[0], headers=given)
        return _credentials(self.upstream.object(reply.data), self.upstream.name)

    async def close(self) -> None:
        await self.upstream.close()


@dataclass(frozen=True, slots=True)
class WebIdentity:
    """The keys of a role that trusts the token in a file, such as a Kubernetes service account's."""

    sts: Upstream
    role: str
    token_file: str
    session: str = SESSION

    async def fetch(self) -> Credentials:
        asked = {"Action": "AssumeRoleWithWebIdentity", "RoleArn": self.role, "RoleSessionName": self.session}
        return await _assume(self.sts, {**asked, "WebIdentityToken": await _read(self.token_file)}, lambda _: {})

    async def close(self) -> None:
        await self.sts.close()


@dataclass(frozen=True, slots=True)
class AssumedRole:
    """The keys of a role, perhaps in another account, that trusts the keys at hand."""

    sts: Upstream
    base: Keys
    role: str
    region: str
    external_id: str = ""
    session: str = SESSION

    async def fetch(self) -> Credentials:
        asked = {"Action": "AssumeRole", "RoleArn": self.role, "RoleSessionName": self.session}
        if self.external_id:
            asked["ExternalId"] = self.external_id
        keys = await self.base.current()

        def signed(body: bytes) -> dict[str, str]:
            kind, path = {"content-type": FORM}, self.sts.host.path + "/"
            return sign(keys, self.region, "sts", now(), "POST", self.sts.host.authority, path, kind, body)

        return await _assume(self.sts, asked, signed)

    async def close(self) -> None:
        await self.base.close()
        await self.sts.close()


FORM = "application/x-www-form-urlencoded; charset=utf-8"


async def _assume(sts: Upstream, asked: Mapping[str, str], signed: Callable[[bytes], dict[str, str]]) -> Credentials:
    body = urlencode({**asked, "Version": "2011-06-15"}).encode()
    reply = await sts.send("POST", "/", body, signed(body), FORM)
    text = reply.data.decode("utf-8", "replace")
    found = {name: html.unescape(value) for name, value in re.findall(r"<(\w+)>([^<]*)</", text)}
    return _credentials({**found, "Token": found.get("SessionToken", "")}, sts.name)


def _credentials(found: Mapping[str, Any], name: str) -> Credentials:
    access, secret = found.get("AccessKeyId"), found.get("SecretAccessKey")
    if not access or not secret:
        raise UpstreamBroken(f"{name} gave no keys: {found.get('Message') or found.get('Code') or 'they are missing'}")
    try:
        expires = datetime.fromisoformat(str(found["Expiration"])) if found.get("Expiration") else None
    except ValueError as error:
        raise UpstreamBroken(f"{name} gave keys with a date that cannot be read") from error
    if expires is not None and expires.tzinfo is None:
        expires = expires.replace(tzinfo=UTC)
    return Credentials(str(access), str(secret), str(found.get("Token") or ""), expires)


async def _read(path: str) -> str:
    try:
        return (await asyncio.to_thread(Path(path).read_text, "utf-8")).strip()
    except OSError as error:
        raise UpstreamBroken(f"the token for AWS cannot be read from {path!r}") from error


# ------------------------------------------------------------------ from the options


def keys(options: Mapping[str, Any], region: str, wrong: list[str]) -> Keys | None:
    """The keys that the options describe; None with reasons in `wrong` where they describe none."""
    source = _source(options, region, wrong)
    if source is None:
        return None
    held = Keys(source)
    if role := options.get("assume_role"):
        return Keys(AssumedRole(_sts(options, region), held, str(role), region, str(options.get("external_id") or "")))
    return held


def _source(options: Mapping[str, Any], region: str, wrong: list[str]) -> Source | None:
    kind = options.get("credentials") or ""
    if kind == "container":
        return _container(options, wrong)
    if kind == "instance":
        return Instance(_near("EC2's metadata service", str(options.get("metadata_url") or METADATA)))
    if kind == "web_identity":
        missing = [name for name in ("role_arn", "token_file") if not options.get(name)]
        wrong += [f'options.{name} is missing; credentials = "web_identity" needs it' for name in missing]
        return WebIdentity(_sts(options, region), str(options.get("role_arn")), str(options.get("token_file")))
    if kind:
        wrong.append(f"options.credentials {kind!r} is none of 'container', 'instance', 'web_identity'")
        return None
    given = [str(options.get(name) or "").strip() for name in ("access_key", "secret_key", "session_token")]
    if not given[0] or not given[1]:
        wrong.append(
            "there are no keys for AWS; set options.access_key and secret_key, or api_key, "
            "or credentials to 'container', 'instance' or 'web_identity'"
        )
        return None
    return Static(Credentials(given[0], given[1], given[2]))


def _container(options: Mapping[str, Any], wrong: list[str]) -> Source | None:
    uri = str(options.get("credentials_uri") or "")
    address = f"http://169.254.170.2{uri}" if uri.startswith("/") else uri
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LINK_LOCAL):
        wrong.append('options.credentials_uri must be set, such as to "env:AWS_CONTAINER_CREDENTIALS_FULL_URI"')
        return None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    token, file = str(options.get("credentials_token") or ""), str(options.get("credentials_token_file") or "")
    return Container(_near("the container's keys", f"{parts.scheme}://{parts.netloc}"), path, token, file)


def _sts(options: Mapping[str, Any], region: str) -> Upstream:
    return _near("AWS STS", str(options.get("sts_url") or f"https://sts.{region}.{domain(region)}"))


def domain(region: str) -> str:
    """The domain of AWS's services in a region."""
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"


def _near(name: str, url: str) -> Upstream:
    return Upstream(name, Host(url), {}, TIMEOUT, TIMEOUT, TIMEOUT, max_response=1024 * 1024)

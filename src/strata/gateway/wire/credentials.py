"""What a vendor is shown: one of several keys in turn, or a short-lived token that is fetched and renewed.

A key that the vendor no longer accepts, or that is over its limit, rests for a while, and the next one is tried before
the caller hears of it. A token is renewed before it runs out, and once more when the vendor says that it has.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol, TypeVar
from urllib.parse import urlencode

from strata.errors import Misconfigured, RateLimited, StrataError, UpstreamBroken, UpstreamRefused
from strata.gateway.wire.connection import Host
from strata.gateway.wire.upstream import Upstream, address_mistakes
from strata.types import Json

REFUSED_REST = 300.0
"""Seconds for which a key rests that the vendor does not accept; an operator may renew it meanwhile."""

EARLY = 300.0
"""Seconds before its end at which a token is renewed; half its life where that is shorter."""

NOT_ACCEPTED = {401, 402, 403}

Headers = dict[str, str]
Answer = TypeVar("Answer")


class Credentials(Protocol):
    """What goes into the headers of each call."""

    def turns(self) -> AsyncIterator[Turn]:
        """What may be tried one after the other, at least one. Raises what the last one met."""
        ...


@dataclass(slots=True)
class Turn:
    """One try. `failed` raises the error again unless another try may do better."""

    headers: Headers
    _again: Callable[[StrataError], bool]

    def failed(self, error: StrataError) -> None:
        if not self._again(error):
            raise error


async def tried(given: Credentials | None, call: Callable[[Headers | None], Awaitable[Answer]]) -> Answer:
    """The call's answer, with one key or token after the other where there are several."""
    if given is None:
        return await call(None)
    async for turn in given.turns():
        try:
            return await call(turn.headers)
        except (RateLimited, UpstreamBroken) as error:
            turn.failed(error)
    raise UpstreamBroken("the vendor was shown everything there is to show it")


async def tried_stream(
    given: Credentials | None, start: Callable[[Headers | None], AsyncGenerator[list[Json]]]
) -> AsyncGenerator[list[Json]]:
    """As `tried`, for a stream: what has begun is not begun again."""
    if given is None:
        async with aclosing(start(None)) as source:
            async for pieces in source:
                yield pieces
        return
    async for turn in given.turns():
        begun = False
        try:
            async with aclosing(start(turn.headers)) as source:
                async for pieces in source:
                    begun = True
                    yield pieces
            return
        except (RateLimited, UpstreamBroken) as error:
            if begun:
                raise
            turn.failed(error)


# ------------------------------------------------------------------ several keys


@dataclass(slots=True)
class Keys:
    """Several keys of one vendor, used in turn. `header` makes the headers that carry a key."""

    name: str
    keys: Sequence[str] = field(repr=False)
    header: Callable[[str], Headers]
    clock: Callable[[], float] = time.monotonic
    _next: int = 0
    _rest: dict[int, float] = field(default_factory=dict)

    async def turns(self) -> AsyncIterator[Turn]:
        at = self.clock()
        first, self._next = self._next, (self._next + 1) % len(self.keys)
        order = [(first + step) % len(self.keys) for step in range(len(self.keys))]
        awake = [index for index in order if self._rest.get(index, 0.0) <= at]
        if not awake:
            wait = min(self._rest.values()) - at
            raise RateLimited(f"every key of {self.name} rests after a refusal or a limit", retry_after=max(wait, 1.0))
        for position, index in enumerate(awake):
            yield Turn(self.header(self.keys[index]), self._note(index, last=position == len(awake) - 1))

    def _note(self, index: int, *, last: bool) -> Callable[[StrataError], bool]:
        def again(error: StrataError) -> bool:
            rest = resting(error)
            if rest:
                self._rest[index] = self.clock() + rest
            return bool(rest) and not last

        return again


def resting(error: StrataError) -> float:
    """For how long the key rests that met this error; 0 where the key is not at fault."""
    if isinstance(error, RateLimited):
        return max(error.retry_after, 1.0)
    if isinstance(error, UpstreamBroken) and error.vendor_status in NOT_ACCEPTED:
        return REFUSED_REST
    return 0.0


def keys_in(options: Mapping[str, object]) -> list[str]:
    """The keys of a deployment: `api_keys`, or the one `api_key`."""
    several = options.get("api_keys")
    given = several if isinstance(several, list) else [options.get("api_key")]
    return [text for text in (str(key or "").strip() for key in given) if text]


# ------------------------------------------------------------------ tokens


@dataclass(slots=True)
class Tokens:
    """A token that runs out. `fetch` gets a new one: JSON with `access_token` and `expires_in` (seconds)."""

    fetch: Callable[[], Awaitable[Json]]
    clock: Callable[[], float] = time.monotonic
    _token: str = field(default="", repr=False)
    _renew: float = 0.0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def turns(self) -> AsyncIterator[Turn]:
        token = await self.token()
        yield Turn(bearer(token), lambda error: self._expired(error, token))
        yield Turn(bearer(await self.token()), lambda _: False)

    async def token(self) -> str:
        """A token that is good for a while. Raises `UpstreamBroken`."""
        async with self._lock:
            if not self._token or self.clock() >= self._renew:
                answer = await self.fetch()
                token, life = answer.get("access_token"), answer.get("expires_in")
                if not isinstance(token, str) or not token:
                    raise UpstreamBroken("the vendor's sign-in gave no access token", vendor_status=401)
                seconds = lifetime(life)
                self._token, self._renew = token, self.clock() + max(seconds - EARLY, seconds / 2)
            return self._token

    def _expired(self, error: StrataError, token: str) -> bool:
        if not isinstance(error, UpstreamBroken) or error.vendor_status != 401:
            return False
        if self._token == token:
            self._token = ""
        return True


def lifetime(told: object) -> float:
    """Seconds that a token lives; an hour where its giver does not say."""
    try:
        return max(float(told), 0.0) if isinstance(told, int | float | str) else 3600.0
    except ValueError:
        return 3600.0


def given(token: str) -> Tokens:
    """A token that somebody else renews."""

    async def fetch() -> Json:
        return {"access_token": token, "expires_in": 10**9}

    return Tokens(fetch)


def bearer(token: str) -> Headers:
    return {"authorization": f"Bearer {token}"}


def exchange(url: str, form: Callable[[], Mapping[str, str]], name: str) -> Tokens:
    """Tokens from an OAuth 2.0 token endpoint: the form is posted, its answer is JSON. Raises `Misconfigured`."""
    if wrong := address_mistakes(url):
        raise Misconfigured([f"{name}: the address of its tokens: {problem}" for problem in wrong])
    upstream = Upstream(
        f"the sign-in of {name}", Host(url), {}, timeout=30.0, first_token_timeout=30.0, idle_timeout=30.0
    )

    async def fetch() -> Json:
        body = urlencode(form()).encode()
        try:
            reply = await upstream.send("POST", "", body, content_type="application/x-www-form-urlencoded")
        except UpstreamRefused as error:
            raise UpstreamBroken(
                f"{upstream.name} does not accept the platform's credentials; an operator has to renew them",
                vendor_status=401,
            ) from error
        finally:
            upstream.host.close()
        return upstream.object(reply.data)

    return Tokens(fetch)


def service_account(account: Json, scope: str, name: str) -> Tokens:
    """Tokens for a Google service account (its JSON key file), or for a person's `authorized_user` file.

    https://developers.google.com/identity/protocols/oauth2/service-account#httprest. Raises `Misconfigured`.
    """
    uri = str(account.get("token_uri") or "https://oauth2.googleapis.com/token")
    if account.get("type") == "authorized_user":
        return exchange(uri, lambda: _refresh(account), name)
    if not account.get("client_email") or not account.get("private_key"):
        raise Misconfigured(f"{name}: options.credentials holds no client_email and private_key")
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import RSAKey

    try:
        key = RSAKey.import_key(str(account["private_key"]))
    except (ValueError, JoseError) as error:
        raise Misconfigured(f"{name}: the private_key in options.credentials cannot be read") from error
    header = {"alg": "RS256", "typ": "JWT", "kid": str(account.get("private_key_id") or "")}

    def form() -> Mapping[str, str]:
        at = int(time.time())
        claims = {"iss": account["client_email"], "scope": scope, "aud": uri, "iat": at, "exp": at + 3600}
        grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        return {"grant_type": grant, "assertion": jwt.encode(header, claims, key)}

    return exchange(uri, form, name)


def _refresh(account: Json) -> Mapping[str, str]:
    names = ("client_id", "client_secret", "refresh_token")
    return {"grant_type": "refresh_token", **{name: str(account.get(name) or "") for name in names}}


def metadata(url: str = "http://169.254.169.254") -> Tokens:
    """Tokens of the machine's own service account, from Google's metadata server. Only an operator chooses this."""
    headers = {"metadata-flavor": "Google"}
    upstream = Upstream(
        "the metadata server", Host(url), headers, timeout=10.0, first_token_timeout=10.0, idle_timeout=10.0
    )

    async def fetch() -> Json:
        path = "/computeMetadata/v1/instance/service-accounts/default/token"
        try:
            return upstream.object((await upstream.send("GET", path)).data)
        finally:
            upstream.host.close()

    return Tokens(fetch)


def client_credentials(options: Mapping[str, object], scope: str, name: str) -> Tokens:
    """Tokens of Microsoft Entra for an application: `tenant_id`, `client_id`, `client_secret`, optional `authority`.

    https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow. Raises `Misconfigured`.
    """
    missing = [it for it in ("tenant_id", "client_id", "client_secret") if not options.get(it)]
    if missing:
        raise Misconfigured([f"{name}: options.{it} is missing" for it in missing])
    authority = str(options.get("authority") or "https://login.microsoftonline.com").rstrip("/")
    form = {
        "grant_type": "client_credentials", "scope": scope, "client_id": str(options["client_id"]),
        "client_secret": str(options["client_secret"]),
    }  # fmt: skip
    return exchange(f"{authority}/{options['tenant_id']}/oauth2/v2.0/token", lambda: form, name)

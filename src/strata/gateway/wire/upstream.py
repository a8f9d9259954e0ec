"""Calls a vendor over HTTP: deadlines, limits of size, and every way it can fail as the error that says what to do.

A provider has one `Upstream` for each deployment. The address comes from the settings, never from a caller; redirects
are not followed, and addresses of a cloud's metadata service are refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

import orjson

from strata.errors import Misconfigured, RateLimited, StrataError, UpstreamBroken, UpstreamRefused
from strata.gateway.options import Deployment
from strata.gateway.wire.connection import Broken, Connection, Expired, Host, TooMuch
from strata.gateway.wire.retry_after import seconds, wanted
from strata.gateway.wire.sse import MAX_EVENT, Events
from strata.types import Json
from strata.values import value

MAX_RESPONSE = 64 * 1024 * 1024
LINGER = 0.25
"""Seconds to wait for the end of a stream that has said it is done, so that its connection can be used again."""

MAX_HEADS = 1000
FAULTS = (Broken, TooMuch, OSError, ValueError)
"""What can go wrong on the way to a vendor and back; TimeoutError is an OSError."""

METADATA = {"169.254.169.254", "fd00:ec2::254", "100.100.100.200", "metadata.google.internal"}


@value
class Reply:
    """A vendor's whole answer: its content type, its bytes, and its headers in lower case."""

    kind: str
    data: bytes
    headers: Mapping[bytes, bytes]


@dataclass(slots=True)
class Upstream:
    """One deployment's vendor. `name` stands in errors; `timeout` in seconds for a whole answer, `first_token_timeout`
    until a stream begins, `idle_timeout` between two pieces of it; `max_response` in bytes.
    """

    name: str
    host: Host
    headers: dict[str, str] = field(repr=False)
    timeout: float
    first_token_timeout: float
    idle_timeout: float
    max_response: int = MAX_RESPONSE
    _heads: dict[tuple[str, str, str, str], bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, deployment: Deployment, base_url: str, headers: Mapping[str, str]) -> Self:
        """Raises `Misconfigured` for an address that cannot be a vendor's, or headers that cannot be sent."""
        wrong = address_mistakes(base_url)
        more = deployment.options.get("headers") or {}
        if not isinstance(more, dict):
            wrong.append("options.headers must be a table of names and values")
            more = {}
        given = {**headers, **{str(name).lower(): str(value) for name, value in more.items()}}
        if any(not value.isprintable() or not value.isascii() for value in given.values()):
            wrong.append("a key or header has characters that no HTTP header may have")
        limit = deployment.options.get("max_response", MAX_RESPONSE)
        if not isinstance(limit, int) or limit < 1:
            wrong.append("options.max_response must be a number of bytes")
        if wrong:
            raise Misconfigured([f"models.{deployment.name}: {problem}" for problem in wrong])
        name = f"the vendor of {deployment.name!r}"
        first, idle = deployment.first_token_timeout, deployment.idle_timeout
        return cls(name, Host(base_url), given, deployment.timeout, first, idle or first, limit)

    # -------------------------------------------------------------- whole answers

    async def json(self, path: str, body: Json, headers: Mapping[str, str] | None = None) -> Json:
        """POST JSON and get JSON. Raises `UpstreamRefused`, `RateLimited`, `UpstreamBroken`."""
        reply = await self.send("POST", path, orjson.dumps(body), headers)
        if "json" not in reply.kind:
            raise UpstreamBroken(f"{self.name} answered with {reply.kind or 'no content type'} instead of JSON")
        return self.object(reply.data)

    async def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Reply:
        """Send a request and get the whole answer, if its status is a success. Raises as `json` does."""
        connection: Connection | None = None
        try:
            due = asyncio.get_running_loop().time() + self.timeout
            connection = await self.host.open()
            connection.send(self._request(method, path, body, headers, content_type, "*/*"), due)
            await connection.head()
            if not 200 <= connection.status < 300:
                raise await self._refusal(connection)
            data = await connection.whole(self.max_response)
        except FAULTS as error:
            raise self._fault(error, "its answer") from error
        finally:
            if connection is not None:
                self.host.back(connection)
        kind = connection.headers.get(b"content-type", b"").decode("latin-1")
        return Reply(kind, data, connection.headers)

    # -------------------------------------------------------------- streams

    async def pieces(
        self, path: str, body: bytes, headers: Mapping[str, str] | None = None, *, wanted: str = "text/event-stream"
    ) -> AsyncGenerator[bytes]:
        """The bytes of a streamed answer as they come. Closing the generator early hangs up on the vendor."""
        now = asyncio.get_running_loop().time
        end = now() + self.timeout
        connection: Connection | None = None
        awaited = "the first piece of its answer"
        try:
            connection = await self.host.open()
            await self._begin(connection, path, body, headers, wanted, end)
            while data := await connection.read():
                yield data
                awaited = "the next piece of its answer"
                connection.due(min(end, now() + self.idle_timeout))
        except FAULTS as error:
            raise self._fault(error, awaited) from error
        finally:
            if connection is not None:
                self.host.back(connection)

    async def events(
        self, path: str, body: Json, headers: Mapping[str, str] | None = None, events: Events | None = None
    ) -> AsyncGenerator[list[Json]]:
        """The JSON of server-sent events, those that came together in one list; an event that holds an `error` is
        raised as one, after what came before it. Whether the stream was whole is for the dialect to say; where it needs
        to know of `[DONE]`, it hands in the `events` to read with.
        """
        events = events or Events()
        now = asyncio.get_running_loop().time
        end = now() + self.timeout
        connection: Connection | None = None
        awaited = "the first piece of its answer"
        try:
            connection = await self.host.open()
            await self._begin(connection, path, orjson.dumps(body), headers, "text/event-stream", end)
            more = True
            while more and not events.done:
                data = await connection.read()
                more = bool(data)
                found: list[Json] = []
                failure = self._parse(events, data, found)
                if found:
                    yield found
                if failure is not None:
                    raise failure
                awaited = "the next piece of its answer"
                connection.due(min(end, now() + self.idle_timeout))
            if not connection.done:
                await _lingered(connection, now() + LINGER)
        except FAULTS as error:
            raise self._fault(error, awaited) from error
        finally:
            if connection is not None:
                self.host.back(connection)

    async def _begin(
        self,
        connection: Connection,
        path: str,
        body: bytes,
        headers: Mapping[str, str] | None,
        wanted: str,
        end: float,
    ) -> None:
        """Ask for a stream, and see that it is one."""
        request = self._request("POST", path, body, headers, "application/json", wanted)
        connection.send(request, min(end, asyncio.get_running_loop().time() + self.first_token_timeout))
        await connection.head()
        await self._must_stream(connection, wanted)

    async def warm(self) -> None:
        """Nothing has to be loaded; connections are opened by the first call."""

    async def close(self) -> None:
        self.host.close()

    # -------------------------------------------------------------- what the vendor says

    def object(self, data: bytes) -> Json:
        """A JSON object. Raises `UpstreamBroken` for anything else."""
        try:
            value = orjson.loads(data)
        except ValueError as error:
            raise UpstreamBroken(f"{self.name} answered with something that is not JSON") from error
        if not isinstance(value, dict):
            raise UpstreamBroken(f"{self.name} answered with JSON that is not an object")
        return value

    def failure(self, status: int, message: str, retry_after: str | None = None) -> StrataError:
        """The vendor's refusal as the error that says what to do about it."""
        if status == 429:
            told = f"{self.name} is over its limit: {message}".rstrip(": ")
            limited = RateLimited(told, retry_after=seconds(retry_after))
            limited.named = retry_after is not None
            return limited
        if status in {401, 403}:
            told = f"{self.name} does not accept the platform's credentials; an operator has to renew them"
            return UpstreamBroken(told, vendor_status=status)
        if status in {404, 405}:
            told = f"{self.name} does not know the model or address in the settings; an operator has to mend them"
            return UpstreamBroken(told, vendor_status=status)
        if status in {400, 409, 413, 415, 422}:
            return UpstreamRefused(message or f"{self.name} refuses this request", vendor_status=status)
        told = f"{self.name} failed with status {status}" + (f": {message}" if message else "")
        return UpstreamBroken(told, vendor_status=status, retry_after=seconds(retry_after) if retry_after else None)

    def _parse(self, events: Events, data: bytes, found: list[Json]) -> StrataError | None:
        """Append what the data holds; returns the error that stands behind it, so that what came before is not lost."""
        try:
            for event in events.feed(data):
                it = orjson.loads(event)
                if it.get("error"):
                    return self.failure(status_in(it["error"]), message_in(event))
                found.append(it)
        except (ValueError, AttributeError):
            return UpstreamBroken(f"{self.name} sent an event that is not a JSON object")
        except OverflowError:
            return UpstreamBroken(f"{self.name} sent an event of more than {MAX_EVENT} bytes")
        return None

    async def _must_stream(self, connection: Connection, wanted: str) -> None:
        if connection.status != 200:
            raise await self._refusal(connection)
        kind = connection.headers.get(b"content-type", b"").decode("latin-1")
        if wanted not in kind:
            data = await connection.whole(MAX_EVENT)
            if "json" in kind and (message := message_in(data)):
                raise self.failure(500, message)
            raise UpstreamBroken(f"{self.name} answered with {kind or 'no content type'} instead of {wanted}")

    async def _refusal(self, connection: Connection) -> StrataError:
        status, wait = connection.status, wanted(connection.headers)
        try:
            data = await connection.whole(64 * 1024)
        except TooMuch:
            data = b""
        return self.failure(status, message_in(data), retry_in(data) if wait is None else str(wait))

    def _request(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str] | None, content_type: str, accept: str
    ) -> bytes:
        """The request as bytes; what stands in front of its length is made once where no header is particular to it."""
        if headers:
            return self._head(method, path, headers, content_type, accept) + b"%d\r\n\r\n%b" % (len(body), body)
        name = (method, path, content_type, accept)
        head = self._heads.get(name)
        if head is None:
            if len(self._heads) > MAX_HEADS:
                self._heads.clear()
            head = self._heads[name] = self._head(method, path, {}, content_type, accept)
        return head + b"%d\r\n\r\n%b" % (len(body), body)

    def _head(self, method: str, path: str, headers: Mapping[str, str], content_type: str, accept: str) -> bytes:
        own = {"accept": accept, "content-type": content_type, "user-agent": "strata", **self.headers, **headers}
        return self.host.head(method, path, own.items())

    def _fault(self, error: Exception, awaited: str) -> UpstreamBroken:
        """What went wrong on the way, as the error that says so."""
        if isinstance(error, Expired | TimeoutError):
            return UpstreamBroken(f"{self.name} did not give {awaited} in time")
        if isinstance(error, Broken):
            return UpstreamBroken(f"{self.name} broke off: {error}")
        if isinstance(error, TooMuch):
            return UpstreamBroken(f"{self.name} answered with more than {self.max_response} bytes")
        if isinstance(error, OSError):
            return UpstreamBroken(f"{self.name} cannot be reached")
        return UpstreamBroken(f"{self.name} cannot be asked: {error}")


async def _lingered(connection: Connection, until: float) -> None:
    """Read to the end that should follow at once, so that the connection can be used again."""
    connection.due(until)
    with contextlib.suppress(Broken):
        while await connection.read():
            pass


def address_mistakes(url: str) -> list[str]:
    """What is wrong about a vendor's address: no scheme, credentials inside, a cloud's metadata service."""
    parts = urlsplit(url)
    try:
        _ = parts.port
    except ValueError:
        return [f"base_url {url!r} has no valid port"]
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return ["options.base_url must be set to an address such as 'https://vendor.example/v1'"]
    wrong = []
    if parts.username or parts.password:
        wrong.append("base_url may not hold a name and password; put the key into options.api_key")
    if parts.hostname in METADATA or _link_local(parts.hostname):
        wrong.append(f"base_url {parts.hostname!r} is a metadata or link-local address, which no model is served at")
    return wrong


def _link_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_link_local
    except ValueError:
        return False


def message_in(data: bytes) -> str:
    """What the vendor says is wrong, shortened; empty when it says nothing that can be shown."""
    try:
        said = orjson.loads(data)
    except ValueError:
        return ""
    if isinstance(said, list) and said:
        said = said[0]
    error = said.get("error", said) if isinstance(said, dict) else said
    if isinstance(error, dict):
        error = error.get("message") or error.get("Message") or error.get("detail")
    return error[:1000] if isinstance(error, str) else ""


RETRY = re.compile(rb'"retryDelay"\s*:\s*"([\d.]+)s"')


def retry_in(data: bytes) -> str | None:
    """Seconds to wait that Google's errors hold (`google.rpc.RetryInfo`), where no header says it."""
    found = RETRY.search(data)
    return found[1].decode() if found else None


NAMED = {
    "overloaded_error": 529, "rate_limit_error": 429, "invalid_request_error": 400, "authentication_error": 401,
    "permission_error": 403, "not_found_error": 404, "request_too_large": 413, "api_error": 500, "timeout_error": 504,
}  # fmt: skip


def status_in(error: Any) -> int:
    """The status that an error inside a stream stands for."""
    if not isinstance(error, dict):
        return 500
    code = error.get("status_code", error.get("status", error.get("code")))
    if isinstance(code, int | str) and str(code).isdigit() and 400 <= int(code) < 600:
        return int(code)
    return NAMED.get(str(error.get("type")), 500)

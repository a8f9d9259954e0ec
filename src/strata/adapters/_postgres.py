"""The way to a PostgreSQL server: its address, its connections and what its errors mean; shared by records and bus.

An address is what libpq's users know, `postgres://user@host:5432/database?sslmode=verify-full`, and what it leaves out is
taken from libpq's variables and files (`PGHOST`, `PGPASSWORD`, `PGPASSFILE`, `~/.pgpass`). No password is ever in a text
that is made here.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlencode

import asyncpg

from strata.adapters._address import truth
from strata.errors import Misconfigured, StrataError, Unavailable

T = TypeVar("T")

LIBPQ = ("passfile", "service", "servicefile", "sslcert", "sslcrl", "sslkey", "sslmode", "sslpassword", "sslrootcert",
         "host", "port", "dbname", "user", "password", "target_session_attrs", "krbsrvname", "gsslib")  # fmt: skip
PATIENCE = 10.0
CONNECTIONS = 4
SILENCE = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3",
           "tcp_user_timeout": "20000"}  # fmt: skip
"""After at most 25 seconds of silence the server gives up a client whose host is gone, and with it what it had locked."""

BY_INDEX = {"jit": "off", "enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}
"""Every question asked here is answered by an index; what the server knows of a young table would mislead it."""

LOST = (
    OSError,  # a TimeoutError is one
    EOFError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.TooManyConnectionsError,
)
"""What ends a connection, or is mended by another one: the server stopped, restarted, or became a standby."""

AGAIN = (asyncpg.TransactionRollbackError, asyncpg.LockNotAvailableError)
"""What undoes a transaction through no fault of its own: a deadlock, a failed serialization, a lock that did not come."""

NOT_LET_IN = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)


@dataclass(frozen=True, slots=True)
class Server:
    """One schema on one server. `place` names it without the password; `patience` is in seconds."""

    dsn: str = field(repr=False)
    place: str
    schema: str
    connections: int = CONNECTIONS
    patience: float = PATIENCE
    durable: bool = True

    async def connect(self, purpose: str, until: float, **settings: str) -> Any:
        """A new connection with these settings of its own, made before `until` (a moment of the event loop's clock). Raises what asyncpg raises."""
        options = {
            "application_name": f"strata {self.schema} {purpose}"[:63],
            "search_path": f'"{self.schema}"',
            "lock_timeout": str(int(self.patience * 1000)),
            "idle_in_transaction_session_timeout": str(int(self.patience * 1000)),
            **BY_INDEX,
            **SILENCE,
            **settings,
        }
        left = max(until - asyncio.get_running_loop().time(), 0.1)
        return await asyncpg.connect(self.dsn, timeout=left, server_settings=options)

    def told(self, error: BaseException) -> str:
        """The error as a text that may be shown and logged."""
        if isinstance(error, TimeoutError):
            return f"it did not answer within {self.patience:g} s"
        if isinstance(error, ssl.SSLError):
            return f"TLS failed: {error.reason}"
        if isinstance(error, asyncpg.InvalidPasswordError):
            return "it refuses the password"
        text = str(error) or type(error).__name__
        return re.sub(r"\s+", " ", text).strip()

    def key(self, purpose: str) -> int:
        """The number of an advisory lock of this schema."""
        name = hashlib.blake2b(f"strata/{self.schema}/{purpose}".encode(), digest_size=8)
        return int.from_bytes(name.digest(), "big", signed=True)

    @property
    def channel(self) -> str:
        """Where those who commit events wake those who deliver them."""
        return f"strata:{self.schema}"


def server(address: str) -> Server:
    """The server that an address names, which is what stands behind `postgres:`. Raises `Misconfigured`, without
    repeating the address: it may hold a password.
    """
    rest, _, query = address.removeprefix("//").partition("?")
    netloc, _, database = rest.partition("/")
    credentials, at, host = netloc.rpartition("@")
    if "@" in database or "#" in rest or any(not re.fullmatch(r"\d*", port) for port in _ports(host)):
        raise Misconfigured(
            "the address of the PostgreSQL server cannot be read: it is postgres://user@host:5432/database, and "
            "characters such as : / @ ? # in a password are written as %3A %2F %40 %3F %23"
        )
    own: dict[str, Any] = {}
    known: dict[str, Callable[[str], Any]] = {
        "schema": _schema, "connections": _connections, "patience": _seconds, "durable": truth
    }  # fmt: skip
    passed: list[tuple[str, str]] = []
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name in LIBPQ:
            passed.append((name, text))
        elif name in known:
            try:
                own[name] = known[name](text)
            except ValueError as error:
                raise Misconfigured(f"the PostgreSQL address: {name} cannot be {text!r}: {error}") from None
        else:
            raise Misconfigured(f"the PostgreSQL address: no option {name!r}; there are {sorted([*known, *LIBPQ])}")
    if "target_session_attrs" not in dict(passed):
        passed.append(("target_session_attrs", "read-write"))
    path = f"/{database}" if database else ""  # an empty one would hide PGDATABASE
    dsn = f"postgresql://{credentials}{at}{host}{path}?{urlencode(passed)}"
    place = f"{host or dict(passed).get('host', 'the PostgreSQL server')}/{unquote(database)}"
    return Server(dsn, place.rstrip("/"), **{"schema": "strata", **own})


def completed(address: str) -> str:
    """The address with a schema of its own for each layer, where it names none."""
    if "{layer}" in address or re.search(r"[?&]schema=", address):
        return address
    return f"{address}{'&' if '?' in address else '?'}schema=strata_{{layer}}"


def _ports(hosts: str) -> list[str]:
    return [re.sub(r"^\[.*?\]", "", host).partition(":")[2] for host in hosts.split(",")]


def _schema(text: str) -> str:
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,47}", text):
        raise ValueError("a schema is up to 48 small letters, digits and underscores")
    return text


def _connections(text: str) -> int:
    if not 3 <= int(text) <= 100:
        raise ValueError("at least 3 (one writes, one delivers, the rest read) and at most 100")
    return int(text)


def _seconds(text: str) -> float:
    if not 0.1 <= float(text) <= 300:
        raise ValueError("it is a number of seconds from 0.1 to 300")
    return float(text)


# ------------------------------------------------------------------ waiting in a bounded way


async def within(connection: Any, work: Awaitable[T], until: float) -> T:
    """The result of what is under way on the connection. At `until`, or when the caller is cancelled, the connection is
    cut: asking the server to cancel would need another connection, and a COMMIT must not be cancelled half-way.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task], timeout=max(until - asyncio.get_running_loop().time(), 0))
    except asyncio.CancelledError:
        _cut(connection, task)
        raise
    if not task.done():
        _cut(connection, task)
        raise TimeoutError
    return task.result()


def _cut(connection: Any, task: asyncio.Future[Any]) -> None:
    task.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody else asks for it
    connection.terminate()


class Readers:
    """A few connections that read, opened when they are needed. Waits for a free one, and for the server, `patience`
    seconds at most; a read that lost its connection is tried again.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.closed = False
        self._slots = asyncio.Semaphore(server.connections - 2)
        self._idle: list[Any] = []

    async def fetch(self, sql: str, *arguments: object) -> list[Any]:
        """The rows. Raises `Unavailable`."""
        until = asyncio.get_running_loop().time() + self.server.patience
        async with self._slot(until):
            while True:
                try:
                    return await self._fetch(until, sql, arguments)
                except LOST as error:
                    if self.closed or not await rested(until):
                        raise self._unavailable(error) from error
                except asyncpg.PostgresError as error:
                    raise self._unavailable(error) from error

    async def _fetch(self, until: float, sql: str, arguments: tuple[object, ...]) -> list[Any]:
        connection = await self._connection(until)
        now = asyncio.get_running_loop().time()
        try:
            # half of the time: a connection to a host that has vanished leaves enough for another one
            rows: list[Any] = await within(connection, connection.fetch(sql, *arguments), (now + until) / 2)
        except BaseException:
            connection.terminate()
            raise
        if self.closed:
            connection.terminate()
        else:
            self._idle.append(connection)
        return rows

    async def close(self) -> None:
        self.closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(farewell(connection) for connection in idle))

    @contextlib.asynccontextmanager
    async def _slot(self, until: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout_at(until):
                await self._slots.acquire()
        except TimeoutError:
            busy = f"all connections to {self.server.place} are busy; ?connections= in its address allows more"
            raise Unavailable(busy) from None
        try:
            yield
        finally:
            self._slots.release()

    async def _connection(self, until: float) -> Any:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        # what is written here is only a wake-up call: it need not reach the disk
        return await self.server.connect("reads", until, synchronous_commit="off")

    def _unavailable(self, error: Exception) -> StrataError:
        return Unavailable(f"{self.server.place} cannot be read: {self.server.told(error)}")


async def rested(until: float) -> bool:
    """Pause a moment before another try; False if there is no time for one."""
    loop = asyncio.get_running_loop()
    if loop.time() + 0.05 >= until:
        return False
    await asyncio.sleep(min(0.1, until - loop.time()))
    return True


async def farewell(connection: Any) -> None:
    """End a connection in good order, or at once if the server does not answer."""
    try:
        await connection.close(timeout=1)
    except (*LOST, asyncpg.PostgresError):
        connection.terminate()

"""Objects in a bucket that speaks Amazon's S3 protocol, through obstore."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import obstore
from obstore import exceptions as failed
from obstore.store import S3Store

from strata.adapters._address import split
from strata.adapters.objects._names import checked
from strata.errors import Conflict, Misconfigured, NotFound, Unavailable
from strata.ports.objects import ObjectMeta


@dataclass(frozen=True, slots=True)
class S3Objects:
    """A bucket, or what lies under a prefix of it."""

    store: Any

    async def put(self, name: str, data: bytes, *, if_absent: bool = False) -> ObjectMeta:
        checked(name)
        try:
            await obstore.put_async(
                self.store, name, data, mode="create" if if_absent else "overwrite", use_multipart=False
            )
            meta = await self.head(name)
        except (failed.AlreadyExistsError, failed.PreconditionError):
            raise Conflict(f"there is an object called {name!r} already") from None
        except failed.BaseError as error:
            raise _unavailable(error) from error
        if meta is None:
            raise Conflict(f"{name!r} was removed while it was stored")
        return meta

    async def get(self, name: str) -> bytes:
        try:
            found = await obstore.get_async(self.store, checked(name))
            return bytes(await found.bytes_async())
        except (failed.NotFoundError, FileNotFoundError):
            raise NotFound(f"no object called {name!r}") from None
        except failed.BaseError as error:
            raise _unavailable(error) from error

    async def head(self, name: str) -> ObjectMeta | None:
        try:
            return _meta(await obstore.head_async(self.store, checked(name)))
        except (failed.NotFoundError, FileNotFoundError):
            return None
        except failed.BaseError as error:
            raise _unavailable(error) from error

    async def delete(self, name: str) -> None:
        try:
            await obstore.delete_async(self.store, checked(name))
        except (failed.NotFoundError, FileNotFoundError):
            return
        except failed.BaseError as error:
            raise _unavailable(error) from error

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectMeta]:
        folder = prefix.rpartition("/")[0]
        try:
            async for page in obstore.list(self.store, prefix=folder or None):
                for found in page:
                    if found["path"].startswith(prefix):
                        yield _meta(found)
        except failed.BaseError as error:
            raise _unavailable(error) from error

    async def presign(self, name: str, seconds: int = 300) -> str | None:
        try:
            address: str = await obstore.sign_async(self.store, "GET", checked(name), timedelta(seconds=seconds))
        except failed.BaseError as error:
            raise _unavailable(error) from error
        return address

    async def close(self) -> None:
        """Connections close by themselves."""


def _meta(found: Any) -> ObjectMeta:
    return ObjectMeta(found["path"], found["size"], str(found["e_tag"]), found["last_modified"])


def _unavailable(error: Exception) -> Unavailable:
    return Unavailable(f"the bucket cannot be used: {str(error).splitlines()[0]}")


async def make(
    address: str,
    *,
    home: Path | None = None,
    endpoint: str = "",
    region: str = "",
    access_key_id: str = "",
    secret_access_key: str = "",
    session_token: str = "",
    retries: int = 3,
) -> S3Objects:
    """The objects of `bucket` or `bucket/prefix`. Without an endpoint this is Amazon's; without keys, obstore finds
    them as Amazon's tools do (environment, then the machine's role). `bucket?endpoint=…&region=…` says the same.
    """
    place, given_there = split(address, {"endpoint": str, "region": str})
    endpoint, region = given_there.get("endpoint", endpoint), given_there.get("region", region)
    bucket, _, prefix = place.partition("/")
    if not bucket:
        raise Misconfigured("s3: needs a bucket, as in s3:bucket or s3:bucket/prefix")
    given = {
        "endpoint": endpoint,
        "region": region,
        "access_key_id": access_key_id,
        "secret_access_key": secret_access_key,
        "session_token": session_token,
    }
    try:
        store = S3Store(
            bucket,
            prefix=prefix or None,
            config=cast("Any", {key: value for key, value in given.items() if value}),
            retry_config={"max_retries": retries},
            client_options={"allow_http": endpoint.startswith("http://")},
        )
    except (failed.BaseError, ValueError) as error:
        raise Misconfigured(f"s3:{address}: {error}") from error
    return S3Objects(store)

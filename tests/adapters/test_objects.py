"""Every store of objects keeps the promise."""

import asyncio

import boto3
import pytest
from moto.server import ThreadedMotoServer

from strata.adapters.objects import folder, memory, s3
from strata.errors import Conflict, Misconfigured, NotFound, Unavailable
from strata.testing.objects import ObjectsPromise


class TestMemory(ObjectsPromise):
    @pytest.fixture
    async def objects(self):
        return await memory.make("")


class TestFolder(ObjectsPromise):
    @pytest.fixture
    async def objects(self, tmp_path):
        return await folder.make("objects", home=tmp_path)


@pytest.fixture(scope="module")
def bucket():
    """A server on this machine that speaks S3, with one bucket."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=endpoint, **keys)
    client.create_bucket(Bucket="strata")
    yield endpoint
    server.stop()


class TestS3(ObjectsPromise):
    @pytest.fixture
    async def objects(self, bucket, request):
        return await s3.make(
            f"strata/{request.node.name}",
            endpoint=bucket,
            region="us-east-1",
            access_key_id="test",
            secret_access_key="test",
        )


async def test_objects_in_a_folder_are_there_after_the_next_start(tmp_path):
    first = await folder.make("objects", home=tmp_path)
    put = await first.put("a/b", b"kept")
    second = await folder.make("objects", home=tmp_path)
    assert await second.get("a/b") == b"kept"
    assert await second.head("a/b") == put


async def test_in_a_folder_a_name_is_an_object_or_a_folder(tmp_path):
    objects = await folder.make("objects", home=tmp_path)
    await objects.put("a/b", b"1")
    for name in ("a", "a/b/c"):
        with pytest.raises(Conflict):
            await objects.put(name, b"2")
        with pytest.raises(NotFound):
            await objects.get(name)
        assert await objects.head(name) is None
        await objects.delete(name)
    assert [meta.name async for meta in objects.list()] == ["a/b"]
    assert not list((tmp_path / "objects" / "incoming").iterdir())


async def test_listing_never_leaves_the_folder(tmp_path):
    (tmp_path / "secret.txt").write_text("outside")
    objects = await folder.make("objects", home=tmp_path)
    for prefix in ("../", "/", "../../", "/etc/", "a/../../../"):
        assert [meta.name async for meta in objects.list(prefix)] == []


async def test_puts_and_deletes_in_one_folder_do_not_trip_over_each_other(tmp_path):
    objects = await folder.make("objects", home=tmp_path)

    async def come_and_go(name):
        for _ in range(30):
            await objects.put(name, b"x")
            await objects.delete(name)

    await asyncio.gather(*(come_and_go(f"a/b/{n}") for n in range(4)))
    assert [meta.name async for meta in objects.list()] == []


async def test_a_full_volume_says_so_and_stores_nothing(small_disk):
    objects = await folder.make("objects", home=small_disk)
    await objects.put("small", b"x" * 1000)
    with pytest.raises(Unavailable, match="disk is full"):
        await objects.put("large", b"x" * 5_000_000)
    assert [meta.name async for meta in objects.list()] == ["small"]
    await objects.put("small", b"y" * 1000)


async def test_a_bucket_that_cannot_be_reached_is_unavailable(unused_tcp_port):
    objects = await s3.make(
        "strata",
        endpoint=f"http://127.0.0.1:{unused_tcp_port}",
        region="us-east-1",
        access_key_id="x",
        secret_access_key="x",
        retries=0,
    )
    with pytest.raises(Unavailable):
        await objects.put("a", b"x")
    with pytest.raises(Misconfigured):
        await s3.make("", home=None)

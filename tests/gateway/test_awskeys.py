"""Keys for AWS from every place they can come from, and renewed in time; STS as moto plays it, where it is installed."""

from __future__ import annotations

import asyncio
import importlib
import re
import tomllib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from strata.errors import UpstreamBroken
from strata.gateway.options import Deployment
from strata.gateway.wire import awskeys
from strata.gateway.wire.sigv4 import Credentials
from strata.types import Json

from .replay import Exchange, Got, Replay, answering

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture
async def replay() -> AsyncIterator[Replay]:
    async with Replay() as running:
        yield running


def found(options: Json) -> awskeys.Keys:
    wrong: list[str] = []
    keys = awskeys.keys(options, "eu-central-1", wrong)
    assert keys is not None, wrong
    return keys


@dataclass
class Spring:
    """Gives keys that last an hour, and counts how often it was asked."""

    clock: list[datetime] = field(default_factory=lambda: [NOW])
    given: int = 0
    dry: bool = False

    async def fetch(self) -> Credentials:
        await asyncio.sleep(0)
        if self.dry:
            raise UpstreamBroken("there are none")
        self.given += 1
        return Credentials(f"AKID{self.given}", "secret", "token", self.clock[0] + timedelta(hours=1))

    async def close(self) -> None: ...


async def test_keys_are_fetched_once_and_renewed_before_they_expire():
    spring = Spring()
    keys = awskeys.Keys(spring, lambda: spring.clock[0])
    together = await asyncio.gather(*(keys.current() for _ in range(20)))
    assert {it.access_key for it in together} == {"AKID1"}
    spring.clock[0] += timedelta(minutes=54)
    assert (await keys.current()).access_key == "AKID1"
    spring.clock[0] += timedelta(minutes=2)
    assert (await keys.current()).access_key == "AKID2"


async def test_keys_that_still_hold_are_used_while_none_can_be_fetched():
    spring = Spring()
    keys = awskeys.Keys(spring, lambda: spring.clock[0])
    await keys.current()
    spring.dry = True
    spring.clock[0] += timedelta(minutes=58)
    assert (await keys.current()).access_key == "AKID1"
    spring.clock[0] += timedelta(minutes=2)
    with pytest.raises(UpstreamBroken, match="there are none"):
        await keys.current()


GIVEN = {"AccessKeyId": "AKID", "SecretAccessKey": "s", "Token": "t", "Expiration": "2030-01-01T00:00:00Z"}
HELD = Credentials("AKID", "s", "t", datetime(2030, 1, 1, tzinfo=UTC))


async def test_a_container_gets_its_keys_with_the_token_of_the_moment(replay: Replay, tmp_path: Path):
    file = tmp_path / "token"
    file.write_text("first\n")
    replay.script = lambda _: answering(GIVEN)
    options = {"credentials": "container", "credentials_uri": f"{replay.url}/v1/credentials?x=1"}
    keys = found({**options, "credentials_token_file": str(file)})
    assert await keys.current() == HELD
    assert (replay.got[-1].method, replay.got[-1].path) == ("GET", "/v1/credentials?x=1")
    assert replay.got[-1].headers["authorization"] == "first"
    file.write_text("second")
    await keys.source.fetch()
    assert replay.got[-1].headers["authorization"] == "second"
    await keys.close()


@pytest.mark.parametrize("uri", ["", "http://example.org/keys", "http://169.254.169.254/keys", "ftp://127.0.0.1/"])
def test_a_containers_keys_are_not_fetched_from_just_anywhere(uri: str):
    wrong: list[str] = []
    assert awskeys.keys({"credentials": "container", "credentials_uri": uri}, "eu-central-1", wrong) is None
    assert "credentials_uri" in wrong[0]


async def test_an_instance_gets_the_keys_of_its_role(replay: Replay):
    def metadata(got: Got) -> Exchange:
        if got.method == "PUT":
            return answering("metadata-token", kind="text/plain")
        assert got.headers["x-aws-ec2-metadata-token"] == "metadata-token"
        return answering(GIVEN) if got.path.endswith("/gateway-role") else answering("gateway-role", kind="text/plain")

    replay.script = metadata
    keys = found({"credentials": "instance", "metadata_url": replay.url})
    assert await keys.current() == HELD
    assert replay.got[0].headers["x-aws-ec2-metadata-token-ttl-seconds"] == "300"
    await keys.close()


async def test_keys_that_were_not_given_are_an_error_with_the_reason(replay: Replay):
    options = {"credentials": "container", "credentials_uri": replay.url}
    said: Any
    for said, told in (({"Message": "no role"}, "no role"), ({**GIVEN, "Expiration": "soon"}, "date")):
        replay.script = lambda _, said=said: answering(said)
        keys = found(options)
        with pytest.raises(UpstreamBroken, match=told):
            await keys.current()
        await keys.close()
    keys = found({"credentials": "web_identity", "role_arn": "arn:x", "token_file": "/nowhere", "sts_url": replay.url})
    with pytest.raises(UpstreamBroken, match="cannot be read"):
        await keys.current()


def test_what_is_missing_is_named():
    for options, told in (
        ({}, "there are no keys"), ({"access_key": "AKID"}, "there are no keys"),
        ({"credentials": "magic"}, "none of"), ({"credentials": "web_identity"}, "role_arn"),
    ):  # fmt: skip
        wrong: list[str] = []
        awskeys.keys(options, "eu-central-1", wrong)
        assert told in wrong[0]


@pytest.fixture
def sts(tmp_path: Path) -> Any:
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


async def test_roles_are_assumed_with_the_token_in_a_file_and_across_accounts(sts: str, tmp_path: Path):
    file = tmp_path / "token"
    file.write_text("header.payload.signature")
    role = "arn:aws:iam::123456789012:role/gateway"
    options = {"credentials": "web_identity", "role_arn": role, "token_file": str(file), "sts_url": sts}
    keys = found(options)
    held = await keys.current()
    assert held.access_key
    assert held.session_token
    assert held.expires is not None
    assert held.expires > datetime.now(UTC)
    await keys.close()
    other = found({**options, "assume_role": "arn:aws:iam::210987654321:role/models", "external_id": "strata"})
    assumed = await other.current()
    assert assumed.access_key
    assert assumed != held
    await other.close()


async def test_the_request_for_a_role_is_signed_with_the_keys_at_hand(replay: Replay):
    xml = (
        "<AssumeRoleResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><AssumeRoleResult><Credentials>"
        "<AccessKeyId>AKID</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
        "<Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )
    replay.script = lambda _: answering(xml, kind="text/xml")
    options = {"access_key": "BASE", "secret_key": "s", "assume_role": "arn:aws:iam::2:role/m", "sts_url": replay.url}
    keys = found(options)
    assert await keys.current() == HELD
    assert replay.got[0].headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=BASE/")
    assert b"Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A2%3Arole%2Fm" in replay.got[0].body
    await keys.close()


@pytest.mark.parametrize("page", ["anthropic", "bedrock", "sagemaker"])
def test_the_examples_in_the_docs_are_deployments(page: str):
    text = (Path(__file__).parents[2] / "docs" / "how-to" / "providers" / f"{page}.md").read_text()
    provider = importlib.import_module(f"strata.gateway.providers.{page}")
    for block in re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL):
        for name, model in tomllib.loads(block)["models"].items():
            options = {key: "http://127.0.0.1/x" if "URI" in str(it) else it for key, it in model["options"].items()}
            made = provider.make("", Deployment(name, model["kind"], page, model["model"], options=options))
            assert ("chat" in made.operations) == (model["kind"] == "chat")

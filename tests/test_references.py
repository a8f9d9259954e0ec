"""Secrets come from where the settings say, once, and a mistake says where it is without telling the secret."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from strata.errors import Misconfigured
from strata.references import References
from strata.settings import read


class VaultServer(ThreadingHTTPServer):
    """Plays Vault's documented answers: a version 2 store, a token, AppRole and Kubernetes."""

    asked: list[tuple[str, str]]


class _Vault(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("x-vault-token", "")))
        if self.headers.get("x-vault-token") not in {"root", "from-approle", "from-kubernetes"}:
            self.say(403, {"errors": ["permission denied"]})
        elif self.path == "/v1/secret/data/strata":
            held = {"data": {"openai": "sk-from-vault", "other": "x"}, "metadata": {"version": 3}}
            self.say(200, {"data": held})
        elif self.path == "/v1/kv1/one":
            self.say(200, {"data": {"only": "value"}})
        else:
            self.say(404, {"errors": []})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        tokens = {
            "/v1/auth/approle/login": ({"role_id": "r", "secret_id": "s"}, "from-approle"),
            "/v1/auth/kubernetes/login": ({"role": "strata", "jwt": "ey"}, "from-kubernetes"),
        }
        wanted, token = tokens[self.path]
        if body == wanted:
            self.say(200, {"auth": {"client_token": token}})
        else:
            self.say(400, {"errors": ["invalid role or secret ID"]})

    def say(self, status: int, body: dict) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def vault():
    server = VaultServer(("127.0.0.1", 0), _Vault)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def references(stores: dict | None = None, **environ: str) -> References:
    return References(environ, Path(), [], stores or {})


def at(server: ThreadingHTTPServer, **more: str) -> dict:
    return {"vault": {"address": f"http://127.0.0.1:{server.server_address[1]}", **more}}


def test_a_secret_of_vault_is_fetched_once_for_all_its_fields(vault):
    found = references(at(vault, token="env:TOKEN"), TOKEN="root")
    assert found.text("secret:vault/secret/data/strata#openai", "models.a") == "sk-from-vault"
    assert found.text("secret:vault/secret/data/strata#other", "models.b") == "x"
    assert found.text("secret:vault/kv1/one", "models.c") == "value"
    assert found.wrong == []
    assert [path for path, _ in vault.asked] == ["/v1/secret/data/strata", "/v1/kv1/one"]


@pytest.mark.parametrize(
    ("login", "token"),
    [({"role_id": "r", "secret_id": "s"}, "from-approle"), ({"role": "strata", "jwt": "ey"}, "from-kubernetes")],
)
def test_vault_is_entered_by_a_role(vault, login, token):
    found = references(at(vault, **login))
    assert found.text("secret:vault/kv1/one#only", "x") == "value"
    assert vault.asked[-1] == ("/v1/kv1/one", token)


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("secret:vault/secret/data/strata#absent", "no field 'absent'"),
        ("secret:vault/secret/data/strata", "no field ''"),
        ("secret:vault/nothing/here", "does not know"),
        ("secret:aws/x", r"needs a table \[secrets.aws\]"),
        ("secret:drawer/x", "no secret store 'drawer'"),
    ],
)
def test_what_is_wrong_with_a_reference_is_told_without_the_secret(vault, reference, told):
    found = references(at(vault, token="root"))
    assert found.text(reference, "models.a.options.api_key") == ""
    (mistake,) = found.wrong
    assert mistake.startswith("models.a.options.api_key: ")
    assert re.search(told, mistake)
    assert "sk-from-vault" not in mistake


def test_a_vault_that_does_not_let_us_in_is_a_mistake_and_its_token_is_not_told(vault):
    found = references(at(vault, token="wrong-token"))
    found.text("secret:vault/kv1/one", "models.a")
    assert "credentials" in found.wrong[0]
    assert "wrong-token" not in found.wrong[0]


async def test_a_secret_is_fetched_while_a_loop_runs_as_well(vault):
    found = references(at(vault, token="root"))
    assert await asyncio.to_thread(found.text, "secret:vault/kv1/one", "x") == "value"
    assert references(at(vault, token="root")).text("secret:vault/kv1/one", "x") == "value"


def test_a_secret_of_aws_is_fetched_with_a_signed_request():
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        boto3 = pytest.importorskip("boto3")
        keys = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret"}
        client = boto3.client("secretsmanager", region_name="eu-central-1", endpoint_url=address, **keys)
        client.create_secret(Name="strata/vendors", SecretString=json.dumps({"openai": "sk-from-aws"}))
        client.create_secret(Name="plain", SecretString=" sk-plain ")
        table = {"region": "eu-central-1", "address": address, "access_key": "AKIDEXAMPLE", "secret_key": "env:SECRET"}
        found = references({"aws": table}, SECRET="secret")
        assert found.text("secret:aws/strata/vendors#openai", "x") == "sk-from-aws"
        assert found.text("secret:aws/plain", "x") == "sk-plain"
        assert found.wrong == []
        found.text("secret:aws/absent", "models.a")
        assert len(found.wrong) == 1
    finally:
        server.stop()


def test_references_stand_anywhere_in_a_models_options(tmp_path):
    environ = {"STRATA_HOME": str(tmp_path), "ONE": "sk-1", "TWO": "sk-2"}
    options = {"api_keys": ["env:ONE", "env:TWO"], "headers": {"x-team": "env:ONE"}}
    settings = read({"models": {"m": {"kind": "chat", "provider": "echo", "options": options}}}, environ)
    assert settings.gateway.models[0].options == {"api_keys": ["sk-1", "sk-2"], "headers": {"x-team": "sk-1"}}


def test_a_reference_to_a_store_without_a_table_is_one_of_the_mistakes(tmp_path):
    options = {"api_key": "secret:vault/x#y"}
    raw = {"models": {"m": {"kind": "chat", "provider": "openai", "options": options}}}
    with pytest.raises(Misconfigured) as caught:
        read(raw, {"STRATA_HOME": str(tmp_path)})
    assert any("[secrets.vault]" in mistake for mistake in caught.value.mistakes)

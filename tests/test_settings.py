"""Settings are read whole, and every mistake is told at once with its place and the choices."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from strata.errors import Misconfigured
from strata.settings import NEEDS, ROLES, load, read
from strata.types import Money


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"STRATA_HOME": str(tmp_path / "home")}


def test_without_a_file_the_defaults_stand(environ, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    settings = load(environ=environ)
    assert settings.url == "http://127.0.0.1:8800"
    assert settings.stores.records.startswith("sqlite:")


def test_every_mistake_is_told_at_once(environ):
    raw = {
        "strata": {"tenant": "Not A Slug"},
        "serve": {"prot": 1},
        "models": {"chat": {"kind": "poem", "provider": "echo"}},
        "budgets": [{"id": "b", "name": "B", "subject": "moon:x", "limit": "-3"}],
    }
    with pytest.raises(Misconfigured) as caught:
        read(raw, environ)
    told = "\n".join(caught.value.mistakes)
    for place in ("strata.tenant", "serve.prot", "models.chat.kind", "budgets[0].subject", "budgets[0].limit"):
        assert place in told
    assert len(caught.value.mistakes) == 5


def test_a_name_of_nothing_is_told_with_the_choices(environ):
    raw = {
        "departments": [{"id": "research", "name": "Research"}],
        "corpora": [{"id": "library", "name": "Library", "department": "research"}],
        "people": [{"id": "ada", "name": "Ada", "department": "reserch"}],
        "assistants": [
            {"id": "a", "name": "A", "corpora": ["libary"], "users": ["research"], "mode": "generative"},
        ],
        "models": {"embed": {"kind": "embedding", "provider": "no_such_vendor"}},
        "stores": {"vectors": "cupboard:x"},
    }
    with pytest.raises(Misconfigured) as caught:
        read(raw, environ)
    told = "\n".join(caught.value.mistakes)
    assert "people[0].department: there is no 'reserch'; there are ['research']" in told
    assert "assistants[0].corpora: there is no 'libary'" in told
    assert "assistants[0].model: a generative assistant needs a model" in told
    assert "no provider called 'no_such_vendor'" in told
    assert "stores.vectors: no vectors called 'cupboard'" in told


def test_an_id_used_twice_is_told(environ):
    twice = {"id": "x", "name": "X"}
    with pytest.raises(Misconfigured, match="departments: 'x' is there 2 times"):
        read({"departments": [twice, twice]}, environ)


def test_a_layer_setting_of_the_wrong_type_or_name_is_told(environ):
    with pytest.raises(Misconfigured) as caught:
        read({"data": {"chunk_tokens": "many", "chunk_token": 3}, "app": {"people": []}}, environ)
    told = "\n".join(caught.value.mistakes)
    assert "data.chunk_tokens: 'many' should be a int" in told
    assert "data.chunk_token: there is no such setting" in told
    assert "app.people: there is no such setting" in told


def test_amounts_are_exact_micro_units(environ):
    raw = {
        "models": {"m": {"kind": "chat", "provider": "echo", "price": {"input": 0.15, "output": "0.60"}}},
        "budgets": [{"id": "b", "name": "B", "subject": "tenant", "limit": "12.34"}],
    }
    settings = read(raw, environ)
    assert settings.gateway.models[0].price.input == 150_000
    assert settings.gateway.models[0].price.output == 600_000
    assert settings.gateway.budgets[0].limit == Money(12_340_000)
    assert settings.reporting.budgets == settings.gateway.budgets


def test_a_secret_comes_by_reference_and_is_never_printed(environ, tmp_path):
    (tmp_path / "key.txt").write_text("sk-from-file\n")
    raw = {
        "models": {
            "a": {"kind": "chat", "provider": "openai", "options": {"api_key": "env:VENDOR_KEY"}},
            "b": {"kind": "chat", "provider": "openai", "options": {"api_key": "file:key.txt"}},
        }
    }
    settings = read(raw, {**environ, "VENDOR_KEY": "sk-from-env"}, tmp_path / "strata.toml")
    assert [model.options["api_key"] for model in settings.gateway.models] == ["sk-from-env", "sk-from-file"]
    assert "sk-from" not in repr(settings)
    with pytest.raises(Misconfigured, match="VENDOR_KEY is not set"):
        read(raw, environ, tmp_path / "strata.toml")


def test_the_master_key_is_made_once_at_random_and_only_the_owner_reads_it(environ, tmp_path):
    first = read({}, environ)
    again = read({}, environ)
    other = read({}, {"STRATA_HOME": str(tmp_path / "other")})
    assert first.master_key == again.master_key
    assert first.master_key != other.master_key
    assert stat.S_IMODE((tmp_path / "home" / "master.key").stat().st_mode) == 0o600
    assert first.master_key.hex() not in repr(first)


def test_a_short_master_key_is_refused(environ):
    with pytest.raises(Misconfigured, match="at least 32 bytes"):
        read({}, {**environ, "STRATA_MASTER_KEY": "secret"})


def test_a_file_that_is_not_toml_is_one_clear_error(environ, tmp_path):
    broken = tmp_path / "strata.toml"
    broken.write_text("[strata\n")
    with pytest.raises(Misconfigured, match="not valid TOML"):
        load(broken, environ)
    with pytest.raises(Misconfigured, match="there is no settings file"):
        load(tmp_path / "absent.toml", environ)


def test_every_need_is_a_role_and_nobody_needs_in_a_circle():
    done: set[str] = set()
    for role in ROLES:
        assert set(NEEDS[role]) <= done, f"{role} needs what is built after it"
        done.add(role)


def test_the_address_of_a_store_may_stand_elsewhere_and_its_password_is_never_shown(environ, tmp_path):
    (tmp_path / "database").write_text("//strata:hunter2@db/strata\n")
    environ |= {"WHOLE": "postgres://strata:hunter2@db/strata", "BARE": "hunter2"}
    for address in ("postgres://strata:hunter2@db/strata", "env:WHOLE", "postgres:env:WHOLE", "postgres:file:database"):
        settings = read({"stores": {"records": address}}, environ, tmp_path / "strata.toml")
        assert settings.stores.records == "postgres://strata:hunter2@db/strata"
        assert "hunter2" not in repr(settings)
    for address, told in (
        ("env:BARE", "no address"),
        ("postgres:env:NOBODY", "NOBODY is not set"),
        ("Postgres://strata:hunter2@db/strata", "stores.records"),
        ("cupboard://strata:hunter2@db/strata", "no records called 'cupboard'"),
    ):
        with pytest.raises(Misconfigured, match=told) as caught:
            read({"stores": {"records": address}}, environ, tmp_path / "strata.toml")
        assert "hunter2" not in str(caught.value)

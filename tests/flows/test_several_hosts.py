"""The platform on PostgreSQL: every layer in a schema of its own, and one gateway on several hosts."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys

import pytest
from tests.adapters.postgres_server import IN_ADDRESS, PASSWORD

from strata.errors import BudgetExhausted, Misconfigured
from strata.settings import read
from strata.types import ChatRequest, Message, NewDocument, Query
from strata.wiring import build

pytestmark = pytest.mark.xdist_group("postgres")

COMPANY = {
    "strata": {"tenant": "acme", "master_key": "ab" * 32},
    "models": {
        "embedding": {"kind": "embedding", "provider": "echo", "dimensions": 64},
        "chat": {"kind": "chat", "provider": "echo", "price": {"request": "0.01"}},
    },
    "departments": [{"id": "lab", "name": "Laboratory"}],
    "people": [{"id": "ada", "name": "Ada", "department": "lab", "roles": ["member", "editor", "auditor"]}],
    "corpora": [{"id": "methods", "name": "Methods", "department": "lab"}],
    "budgets": [{"id": "lab", "name": "Laboratory", "subject": "department:lab", "limit": "0.25"}],
}


@pytest.fixture
def settings_of(postgres, schema, tmp_path):
    """The company's settings as a host of this name reads them, its records in the test's own schemas."""

    def of(host, options=f"schema={schema}_{{layer}}", **tables):
        where = f"postgres:{postgres.address()}?{options}"
        environ = {"STRATA_HOME": str(tmp_path / host), "RECORDS": where}
        return read({**COMPANY, "stores": {"records": "env:RECORDS"}, **tables}, environ)

    return of


async def test_gateways_on_several_hosts_share_budgets_and_keys(settings_of):
    nobody = {"reporting": "http://127.0.0.1:9"}  # facts wait until reporting is there
    async with contextlib.AsyncExitStack() as stack:
        hosts = [
            await stack.enter_async_context(build(settings_of(name, remote=nobody), ("gateway",)))
            for name in ("one", "two")
        ]
        operator = hosts[0].service("operator", "operator", "caller")
        ada = hosts[0].settings.app.people[0].principal("acme")

        async def ask(n):
            try:
                await hosts[n % 2].gateway.complete(ada, ChatRequest("chat", (Message("user", f"number {n}"),)))
            except BudgetExhausted:
                return False
            return True

        assert sum(await asyncio.gather(*(ask(n) for n in range(60)))) == 25
        for host in hosts:
            await host.gateway.current.till.drained()
        for host in hosts:
            (status,) = await host.gateway.budgets(operator)
            assert (status.spent, status.reserved, status.state) == (250_000, 0, "exhausted")

        _, plain = await hosts[0].gateway.current.keys.create(operator, "notebook", owner="ada", department="lab")
        found = (await hosts[1].gateway.current.keys.caller(plain)).principal
        assert found.department == "lab"


async def test_every_layer_keeps_its_records_in_a_schema_of_its_own(settings_of, postgres, schema):
    async with build(settings_of("one")) as platform:
        ada = platform.settings.app.people[0].principal("acme")
        await platform.library.add(ada, NewDocument("methods", "freezer.md"), b"# Freezer\n\nPolaris stands at -80 C.")
        await platform.drain()
        assert await platform.library.search(ada, Query("Where does Polaris stand?"))
        await platform.drain()
        verdict = await platform.ledger.verify(ada)
        assert verdict.entries
        assert not verdict.problems
    schemas = f"SELECT count(*) FROM pg_namespace WHERE nspname LIKE '{schema}%'"
    assert postgres.sql(schemas, "records") == "5"
    async with build(settings_of("one")) as platform:
        assert [one.source for one in await platform.library.documents(ada)] == ["freezer.md"]


async def test_layers_that_would_share_their_records_are_refused(settings_of, schema):
    with pytest.raises(Misconfigured, match=r"\{layer\}"):
        async with build(settings_of("one", f"schema={schema}")):
            pass


async def test_no_password_is_shown_with_the_settings(settings_of):
    for hidden in (PASSWORD, IN_ADDRESS):
        assert hidden not in repr(settings_of("one"))
        with pytest.raises(Misconfigured) as told:
            read({"stores": {"records": f"Postgres://strata:{hidden}@db/strata"}}, {})
        assert hidden not in str(told.value)


def test_every_layers_tables_are_made_before_anything_is_served(postgres, schema, tmp_path):
    (tmp_path / "strata.toml").write_text('[stores]\nrecords = "postgres:env:DATABASE"\n')
    done = subprocess.run(
        [sys.executable, "-m", "strata", "settings", "--connect", "--settings", str(tmp_path / "strata.toml")],
        env=os.environ | {"STRATA_HOME": str(tmp_path), "DATABASE": postgres.address(schema=f"{schema}_{{layer}}")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.count("can be opened") == 5, done.stderr
    tables = f"SELECT count(*) FROM pg_tables WHERE schemaname LIKE '{schema}%' AND tablename = 'record'"
    assert postgres.sql(tables, "records") == "5"

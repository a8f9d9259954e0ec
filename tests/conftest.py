"""What all tests share: no test reaches another machine, and the real public data is found beside the project."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests.adapters.postgres_server import PostgresServer, binaries

settings.register_profile("strata", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("strata")  # no test fails by being slow


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of public data beside the project (`STRATA_SHARED`), or a skip that says what is missing."""
    default = Path(__file__).parents[2] / "shared"
    place = Path(os.environ.get("STRATA_SHARED", default))
    if not (place / "data").is_dir():
        pytest.skip(f"no public data at {place}; set STRATA_SHARED to the folder that holds data/")
    return place


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for all tests of this process."""
    folder = binaries()
    if folder is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    server = PostgresServer.begin(folder)
    yield server
    server.end()


@pytest.fixture
def schema() -> str:
    """The name of a schema that nobody else uses."""
    return f"s{secrets.token_hex(6)}"

"""What the tests of stores share."""

import secrets
import subprocess

import pytest
from tests.adapters.postgres_server import PostgresServer, binaries


@pytest.fixture
def small_disk(tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server for all tests of this process."""
    folder = binaries()
    if folder is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    server = PostgresServer.begin(folder)
    yield server
    server.end()


@pytest.fixture
def schema():
    """The name of a schema that nobody else uses."""
    return f"s{secrets.token_hex(6)}"

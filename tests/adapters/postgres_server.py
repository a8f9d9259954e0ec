"""A PostgreSQL server of the tests' own: in a folder of its own, on a free port of 127.0.0.1, syncing to disk."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

PASSWORD = "p@ss/word:7"
IN_ADDRESS = "p%40ss%2Fword%3A7"


def binaries() -> Path | None:
    """The folder of initdb, pg_ctl and postgres, the newest version first; None where PostgreSQL is not installed."""
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: -float(place.parent.name))
    found = shutil.which("initdb")
    folders = [*packaged, *([Path(found).parent] if found else [])]
    return next((folder for folder in folders if (folder / "initdb").is_file()), None)


@dataclass
class PostgresServer:
    """Started by `begin`, ended by `end`; `stop` and `start` are for tests of what happens in between."""

    bin: Path
    folder: Path
    port: int
    user: str | None

    @classmethod
    def begin(cls, bin: Path) -> PostgresServer:
        # PostgreSQL refuses to run as root; its folder must be short, for the socket's sake, and readable by its user.
        user = None if os.getuid() else next(name for name in ("postgres", "nobody") if _exists(name))
        folder = Path(tempfile.mkdtemp(prefix="strata-pg-"))
        if user:
            shutil.chown(folder, user)
        server = cls(bin, folder, _free_port(), user)
        (folder / "password").write_text(PASSWORD)
        if user:
            shutil.chown(folder / "password", user)
        server.run("initdb", "-D", folder / "data", "-U", "strata", "-A", "scram-sha-256", "--pwfile",
                   folder / "password", "-E", "UTF8", "--locale=C")  # fmt: skip
        with (folder / "data" / "postgresql.conf").open("a") as settings:
            settings.write(
                f"port = {server.port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{folder}'\n"
                "max_connections = 60\nshared_buffers = 32MB\nfsync = on\nlogging_collector = off\n"
            )
        server.start()
        server.sql("CREATE DATABASE records")
        return server

    def start(self) -> None:
        self.run("pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-w", "-t", "60", "start")

    def stop(self, mode: str = "immediate") -> None:
        """`immediate` is a crash: nothing is written any more, and the next start recovers from the log."""
        self.run("pg_ctl", "-D", self.folder / "data", "-m", mode, "-w", "stop")

    def end(self) -> None:
        subprocess.run(
            self._as_user([self.bin / "pg_ctl", "-D", self.folder / "data", "-m", "immediate", "stop"]),
            capture_output=True, check=False, cwd=self.folder,
        )  # fmt: skip
        shutil.rmtree(self.folder, ignore_errors=True)

    def address(self, **options: object) -> str:
        """Where the database is, as it stands behind `postgres:`."""
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"//strata:{IN_ADDRESS}@127.0.0.1:{self.port}/records{'?' if query else ''}{query}"

    def sql(self, statement: str, database: str = "postgres") -> str:
        done = subprocess.run(
            [self.bin / "psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "strata", "-d", database, "-AtqX",
             "-v", "ON_ERROR_STOP=1", "-c", statement],
            env={**os.environ, "PGPASSWORD": PASSWORD}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def run(self, name: str, *words: object) -> None:
        command = self._as_user([self.bin / name, *words])
        with (self.folder / "output").open("ab") as output:
            done = subprocess.run(command, stdout=output, stderr=output, check=False, cwd=self.folder)
        assert done.returncode == 0, (self.folder / "output").read_text()

    def _as_user(self, command: list[object]) -> list[str]:
        words = [str(word) for word in command]
        return (
            ["setpriv", f"--reuid={self.user}", f"--regid={_group(self.user)}", "--clear-groups", *words]
            if self.user
            else words
        )


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _group(user: str) -> int:
    return pwd.getpwnam(user).pw_gid


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

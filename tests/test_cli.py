"""The command line as an operator uses it: loading, serving, asking, keys, the record, and clear errors."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

SETTINGS = """
[strata]
tenant = "acme"
name = "Acme"

[models.embedding]
kind = "embedding"
provider = "echo"
dimensions = 64

[models.chat]
kind = "chat"
provider = "echo"
price = {{ input = "1.00", output = "1.00" }}

[[departments]]
id = "lab"
name = "Laboratory"

[[people]]
id = "ada"
name = "Ada"
department = "lab"
roles = ["member", "editor", "auditor"]

[[corpora]]
id = "methods"
name = "Methods"
department = "lab"
path = "methods"

[[assistants]]
id = "lab"
name = "Lab"
department = "lab"
corpora = ["methods"]
users = ["lab"]
"""


@pytest.fixture
def strata(tmp_path: Path):
    """Runs `strata` in a fresh home; gives exit status, standard output and standard error."""
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "freezer.md").write_text("# Freezer\n\nThe freezer Polaris stands at minus 80 degrees.\n")
    (tmp_path / "strata.toml").write_text(SETTINGS.format())
    environ = {name: value for name, value in os.environ.items() if not name.startswith("STRATA_")}
    environ |= {
        "STRATA_HOME": str(tmp_path / "home"),
        "STRATA_SETTINGS": str(tmp_path / "strata.toml"),
        "COLUMNS": "200",
    }

    def run(*words: str, wait: bool = True, **more: str) -> subprocess.CompletedProcess[str] | subprocess.Popen[str]:
        command = [sys.executable, "-m", "strata", *words]
        if not wait:
            log = (tmp_path / "log.txt").open("w")
            return subprocess.Popen(command, env={**environ, **more}, stdout=log, stderr=log, text=True)
        return subprocess.run(
            command, env={**environ, **more}, capture_output=True, text=True, timeout=120, check=False
        )

    return run


def test_documents_are_ingested_asked_pruned_and_everything_is_on_the_record(strata, tmp_path):
    first = strata("ingest")
    assert first.returncode == 0, first.stderr
    assert "1 new" in first.stdout
    assert "1 unchanged" in strata("ingest").stdout
    answer = strata("ask", "lab", "At how many degrees stands the freezer Polaris?", "--as", "ada")
    assert "minus 80 degrees" in answer.stdout
    (tmp_path / "methods" / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    broken = strata("ingest")
    assert broken.returncode == 3
    assert "broken.pdf" in broken.stderr
    (tmp_path / "methods" / "broken.pdf").unlink()
    (tmp_path / "methods" / "freezer.md").unlink()
    (tmp_path / "methods" / "oven.md").write_text("# Oven\n\nThe oven Helios stands at 60 degrees.\n")
    pruned = strata("ingest", "--prune")
    assert "1 new" in pruned.stdout
    assert "removed" in pruned.stdout
    assert (
        "I don't know" in strata("ask", "lab", "At how many degrees stands the freezer Polaris?", "--as", "ada").stdout
    )
    verified = strata("audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    entries = [json.loads(line) for line in strata("audit", "export").stdout.splitlines()]
    assert {"DocumentReceived", "DocumentIndexed", "DocumentQuarantined", "DocumentRemoved"} <= {
        entry["action"] for entry in entries
    }


def test_an_export_is_verified_offline_and_a_changed_one_is_found(strata, tmp_path):
    strata("ingest")
    log = tmp_path / "record.jsonl"
    log.write_text(strata("audit", "export").stdout)
    key = strata("audit", "key").stdout.strip()
    witness = tmp_path / "home" / "witness" / "audit-checkpoints.jsonl"
    offline = ("audit", "verify", "--log", str(log), "--witness", str(witness), "--public-key", key)
    assert strata(*offline).returncode == 0
    log.write_text(log.read_text().replace("DocumentReceived", "DocumentForgotten", 1))
    assert strata(*offline).returncode == 1


def test_a_key_is_shown_once_listed_without_its_secret_and_revoked(strata):
    made = strata("keys", "create", "notebook", "--department", "lab", "--owner", "ada")
    secret = made.stdout.strip()
    assert secret.startswith("sk-strata-")
    listed = strata("keys", "list").stdout
    assert "notebook" in listed
    assert secret not in listed
    (key,) = [word for word in listed.split() if word.startswith("key_")]
    assert strata("keys", "revoke", key).returncode == 0
    assert "revoked" in strata("keys", "list").stdout
    assert "no department" in strata("keys", "create", "x", "--department", "moon").stderr


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("ask", "lab", "Hello?", "--as", "nobody"), 1, "there is no person 'nobody'"),
        (("ingest", "nowhere", "--corpus", "methods"), 1, "there is no file or folder"),
        (("ingest", "nowhere", "--corpus", "moon"), 1, "there is no corpus 'moon'"),
        (("serve", "kitchen"), 1, "no role called kitchen"),
        (("serve", "app"), 2, "app needs gateway"),
        (("settings", "--settings", "absent.toml"), 2, "no settings file"),
    ],
)
def test_a_mistake_is_one_clear_error_and_never_a_traceback(strata, words, status, told):
    result = strata(*words)
    assert result.returncode == status, result.stderr
    assert told in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


def test_run_serves_prints_links_keeps_everything_and_stops_cleanly(strata, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    links = []
    for _ in range(2):
        server = strata("run", wait=False, STRATA_PORT=port)
        try:
            for _ in range(1200):
                if server.poll() is not None or "Ctrl-C" in (tmp_path / "log.txt").read_text():
                    break
                time.sleep(0.05)
            told = (tmp_path / "log.txt").read_text()
            assert "Ctrl-C" in told, told
            links.append(told.partition("/sign-in#")[2].split()[0])
            busy = strata("serve", STRATA_PORT=port)
            assert busy.returncode == 1
            assert "already running" in busy.stderr
            upload = tmp_path / "upload.md"
            upload.write_text("# Note\n\nThe scale Libra is calibrated on Mondays.\n")
            assert strata("ingest", str(upload), "--corpus", "methods").returncode == 0
            assert "Mondays" in strata("ask", "lab", "When is the scale Libra calibrated?", "--as", "ada").stdout
        finally:
            server.send_signal(signal.SIGINT)
            assert server.wait(60) == 0
        (tmp_path / "upload.md").unlink()
    assert links[0] == links[1], "the sign-in link stays the same until it is withdrawn"
    assert "Mondays" in strata("ask", "lab", "When is the scale Libra calibrated?", "--as", "ada").stdout

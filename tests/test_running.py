"""A role runs once on a home folder, and the lock goes with the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from strata.errors import Unavailable
from strata.running import claim, where


def test_a_role_is_claimed_once_and_free_again_when_released(tmp_path):
    held = claim(tmp_path, ["data", "app"], "http://127.0.0.1:1")
    assert where(tmp_path, "data") == "http://127.0.0.1:1"
    with pytest.raises(Unavailable, match="data is already running"):
        claim(tmp_path, ["gateway", "data"], "http://127.0.0.1:2")
    assert where(tmp_path, "gateway") is None
    held.release()
    assert where(tmp_path, "data") is None
    claim(tmp_path, ["gateway", "data"], "http://127.0.0.1:2").release()


def test_a_killed_process_leaves_no_lock_behind(tmp_path):
    script = f"""
import sys, time
from pathlib import Path
from strata.running import claim
held = claim(Path({str(tmp_path)!r}), ["data"], "http://127.0.0.1:3")
print("held", flush=True)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    assert where(tmp_path, "data") == "http://127.0.0.1:3"
    process.kill()
    process.wait()
    assert where(tmp_path, "data") is None

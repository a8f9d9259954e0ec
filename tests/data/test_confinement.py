"""What a parser's process may not do, tried in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

TRY = """
from strata.data.worker import _confine
_confine(2 * 1024**3)
try:
    {attempt}
except (OSError, MemoryError) as error:
    print("refused")
else:
    print("allowed")
"""


@pytest.mark.parametrize(
    "attempt",
    [
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import socket; socket.getaddrinfo('localhost', 80)",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.system('true')",
        "import os; os.fork()",
        "open('written.txt', 'w')",
        "import os; os.open('written.txt', os.O_WRONLY | os.O_CREAT)",
        "import os; os.remove('anything')",
        "bytearray(3 * 1024**3)",
    ],
)
def test_a_parser_cannot(attempt, tmp_path):
    script = TRY.format(attempt=attempt)
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() in (["refused"], [])
    assert done.stdout.strip() == "refused"
    assert list(tmp_path.iterdir()) == []

"""Killed at any moment, ingestion loses nothing and doubles nothing: over the embedded stores, in a real process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from strata.types import Query, Reader

from .conftest import TENANT
from .ingesting import INGESTER, opened

FILES = 24


def run(home: Path, folder: Path, until: str = "", times: int = 0) -> bool:
    """Ingest in a process of its own and kill it when it has said `until` so many times; whether it got to its end."""
    script = Path(__file__).with_name("ingesting.py")
    command = [sys.executable, str(script), str(home), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        seen = 0
        for line in process.stdout:
            if line.startswith("done"):
                process.wait()
                return process.returncode == 0
            seen += bool(until) and line.startswith(until)
            if until and seen >= times:
                process.kill()
                return False
    return False


@pytest.mark.timeout(600)
async def test_kill_9_while_ingesting_loses_nothing_and_doubles_nothing(tmp_path, reader):
    folder, home = tmp_path / "files", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    for number in range(FILES):
        paragraphs = [f"Paragraph {part} of note {number} says w{number}w." for part in range(40)]
        (folder / f"note-{number:02}.md").write_text(f"# Note {number}\n\n" + "\n\n".join(paragraphs))
    for until, times in (("step", 3), ("embedding", 2), ("embedded", 3), ("step", 20)):
        run(home, folder, until, times)
    assert run(home, folder)

    async with opened(home) as (library, bus):
        await bus.drain(30)
        documents = await library.documents(INGESTER)
        assert [document.source for document in documents] == [f"note-{number:02}.md" for number in range(FILES)]
        assert {document.state for document in documents} == {"indexed"}
        assert await library.indexer.vectors.count(TENANT) == sum(document.chunks for document in documents)
        everything = Reader(TENANT, frozenset(document.label.key for document in documents))
        for document in documents:
            chunks = await library.indexer.vectors.chunks(everything, document.id)
            assert [chunk.ordinal for chunk in chunks] == list(range(document.chunks))
            text = (await library.text(reader, document.id)).text
            assert all(text[chunk.start : chunk.end] == chunk.text for chunk in chunks)
        (best, *_) = await library.search(reader, Query("note w17w", k=1))
        assert best.chunk.source == "note-17.md"


@pytest.mark.timeout(600)
async def test_unchanged_files_cost_nothing_after_a_restart(tmp_path):
    folder, home = tmp_path / "files", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    (folder / "note.md").write_text("# Note\n\nOnly this.")
    assert run(home, folder)
    assert run(home, folder, "embedding", 1)

"""How fast files become passages that can be found: the platform's own ingestion of real files and folders.

    .venv/bin/python bench/ingest.py PATH…

Parsing processes, splitting, the embedded embedder through the gateway, SQLite, LanceDB and Oxigraph are all on, as
shipped, in a folder that is thrown away. `embedder_share` is the share of the time in which an embedding call was under
way: the nearer to 1, the less the rest costs. Files of formats that are not read count as quarantined.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from _stack import CORPUS, INGESTER, READER, progress, say, stack
from strata.data.connector import Found, Refusal
from strata.data.connectors.folder import Folder
from strata.data.ingest import ingest


@dataclass(frozen=True)
class Places:
    """Several folders as one source, each below a name of its own, so that equal paths do not meet."""

    paths: Sequence[Path]

    def walk(self) -> Iterator[Found | Refusal]:
        for number, path in enumerate(self.paths):
            for found in Folder(CORPUS.id, (path,)).walk():
                if isinstance(found, Found):
                    yield replace(found, new=replace(found.new, source=f"{number}/{found.new.source}"))
                else:
                    yield found


async def measure(paths: Sequence[Path]) -> dict[str, object]:
    async with stack() as parts:
        began = time.perf_counter()
        summary = await ingest(parts.library, INGESTER, Places(paths), progress=progress("ingested"))
        seconds = time.perf_counter() - began
        documents = [each for each in await parts.library.documents(INGESTER) if each.state == "indexed"]
        chunks = await parts.library.indexer.vectors.count(READER.tenant)
        again = time.perf_counter()
        await ingest(parts.library, INGESTER, Places(paths), progress=progress("seen again"))
        unchanged = time.perf_counter() - again
        busy = parts.meter.seconds
    say("")
    for source, reason in summary.quarantined:
        say(f"quarantined {source}: {reason}")
    pages = sum(document.pages or 1 for document in documents)
    return {
        "documents": len(documents),
        "pages": pages,
        "chunks": chunks,
        "seconds": round(seconds, 2),
        "documents_per_s": round(len(documents) / seconds, 2),
        "pages_per_s": round(pages / seconds, 2),
        "chunks_per_s": round(chunks / seconds, 2),
        "embedder_share": round(busy / seconds, 3),
        "unchanged_s": round(unchanged, 2),
        "quarantined": len(summary.quarantined),
        "peak_rss_mb": parts.memory.peak_mb,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", type=Path, nargs="+", help="files and folders")
    print(json.dumps(asyncio.run(measure(parser.parse_args().paths))))


if __name__ == "__main__":
    main()

"""Commands about documents: bring them in, list them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from strata.cli.common import AsPerson, SettingsPath, corpus_named, err, operator, out, person_named, reach, run_async
from strata.errors import Invalid
from strata.settings import Settings
from strata.settings import load as load_settings
from strata.types import Corpus

commands = typer.Typer()


@commands.command()
def ingest(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files and folders. None: every corpus that has a path.")
    ] = None,
    corpus: Annotated[str, typer.Option(help="The corpus that they belong to.")] = "",
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Remove documents of the corpus that are not among these files, uploads too."),
    ] = False,
    settings: SettingsPath = None,
) -> None:
    """Bring documents in. Unchanged files cost nothing, changed ones replace, unreadable ones go to quarantine."""
    configured = load_settings(settings)
    if paths and not corpus:
        if len(configured.data.corpora) != 1:
            raise Invalid(f"say which --corpus; there are {[item.id for item in configured.data.corpora]}")
        corpus = configured.data.corpora[0].id
    if paths:
        work = [(corpus_named(configured, corpus), paths)]
    else:
        work = [(item, [Path(item.path)]) for item in configured.data.corpora if item.path and corpus in {"", item.id}]
    if not work:
        raise Invalid("nothing to ingest: name a path, or give a corpus a path in the settings")

    async def bring() -> int:
        bad = 0
        async with reach(configured, "data") as platform:
            for item, places in work:
                bad += await bring_in(platform.library, configured, places, item, prune=prune)
        return bad

    if run_async(bring()):
        raise typer.Exit(3)


async def bring_in(library: Any, settings: Settings, paths: list[Path], corpus: Corpus, *, prune: bool = False) -> int:
    """Ingest with a progress bar; prints what happened and returns how many files went to quarantine."""
    from strata.data.ingest import ingest as ingest_source

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True) as progress:
        bar = progress.add_task(corpus.name, total=None)
        summary = await ingest_source(
            library,
            operator(settings),
            paths,
            corpus.id,
            prune=prune,
            progress=lambda done, total: progress.update(bar, completed=done, total=total),
        )
    counts = summary.counts()
    told = ", ".join(f"{number} {what}" for what, number in counts.items() if number) or "nothing to do"
    out.print(f"  {corpus.name}: {told}", highlight=False)
    for source, reason in summary.quarantined:
        err.print(f"    [yellow]quarantined[/] {source}: ", end="")
        err.print(reason, markup=False, highlight=False)
    return len(summary.quarantined)


@commands.command()
def documents(
    person: AsPerson,
    corpus: Annotated[str, typer.Option(help="Only this corpus.")] = "",
    settings: SettingsPath = None,
) -> None:
    """List the documents that a person may read, with their state."""
    configured = load_settings(settings)

    async def show() -> None:
        async with reach(configured, "data") as platform:
            table = Table("source", "title", "state", "classification", "readers", box=None, padding=(0, 1))
            for item in await platform.library.documents(person_named(configured, person), corpus):
                table.add_row(
                    f"{item.corpus}/{item.source}",
                    item.title,
                    item.state,
                    item.classification,
                    ", ".join(sorted(item.readers)),
                )
            out.print(table)

    run_async(show())

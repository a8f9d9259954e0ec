"""The command line: serve, ingest, ask, evaluate, and look after keys, budgets and the audit record."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer
from rich.logging import RichHandler

from strata import __version__
from strata.cli import about, documents, questions, reports, serving
from strata.cli.common import err, out
from strata.cli.keys import keys
from strata.cli.reports import audit, usage
from strata.cli.transcripts import transcripts
from strata.errors import Misconfigured, StrataError

cli = typer.Typer(
    name="strata",
    help="Knowledge assistants for organisations that answer to a regulator.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
)
for part in (serving, documents, questions, reports, about):
    cli.registered_commands += part.commands.registered_commands
cli.add_typer(audit, name="audit")
cli.add_typer(keys, name="keys")
cli.add_typer(usage, name="usage")
cli.add_typer(transcripts, name="transcripts")


def main() -> None:
    """Run the command line; every error of ours is one clear text on standard error, never a traceback."""
    logging.basicConfig(
        level=logging.WARNING, format="%(message)s", handlers=[RichHandler(console=err, show_path=False, markup=False)]
    )
    try:
        cli()
    except Misconfigured as error:
        err.print("[red]The settings are wrong:[/]")
        for mistake in error.mistakes:
            err.print(f"  • {mistake}", markup=False, highlight=False)
        sys.exit(2)
    except StrataError as error:
        err.print(f"[red]{error.title}:[/] ", end="")
        err.print(error.detail, markup=False, highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


@cli.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        out.print(f"strata {__version__}", highlight=False)
        raise typer.Exit

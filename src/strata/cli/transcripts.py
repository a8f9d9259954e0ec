"""Commands about what was asked and answered, where the settings let that be kept."""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec
import typer

from strata.cli.common import SettingsPath, operator, out, run_async
from strata.settings import load as load_settings
from strata.types import Json
from strata.wiring import open_transcripts

transcripts = typer.Typer(help="What was asked and answered, where it is kept.", no_args_is_help=True)


@transcripts.command(name="show")
def show_transcript(
    request: Annotated[str, typer.Argument(help="The call's id, as in x-strata-request-id.")],
    settings: SettingsPath = None,
) -> None:
    """Print one call's words as JSON. That it was read stands on the audit record."""
    configured = load_settings(settings)

    async def show() -> Json:
        async with open_transcripts(configured) as kept:
            return await kept.show(operator(configured), request)

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(run_async(show())), indent=2).decode() + "\n")


@transcripts.command(name="erase")
def erase_transcripts(
    person: Annotated[str, typer.Option(help="Whose calls.")],
    settings: SettingsPath = None,
) -> None:
    """Remove everything that is kept of what one person asked and was answered."""
    configured = load_settings(settings)

    async def erase() -> int:
        async with open_transcripts(configured) as kept:
            return await kept.erase(operator(configured), person)

    out.print(f"{run_async(erase())} transcripts of {person} are erased")

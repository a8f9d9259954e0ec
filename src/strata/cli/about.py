"""Commands about the installation itself."""

from __future__ import annotations

import sys
import tempfile
from typing import Annotated, Any

import msgspec
import typer

from strata import plugins
from strata.cli.common import SettingsPath, out, run_async
from strata.serve import web_site
from strata.settings import ROLES
from strata.settings import load as load_settings
from strata.settings import read as read_settings
from strata.wiring import build, open_records

commands = typer.Typer()


@commands.command(name="settings")
def check_settings(
    settings: SettingsPath = None,
    connect: Annotated[
        bool, typer.Option("--connect", help="Open every layer's records too, making what is missing.")
    ] = False,
) -> None:
    """Check the settings, and tell every mistake at once."""
    configured = load_settings(settings)
    out.print(f"{configured.source or 'the defaults'}: no mistakes; home is {configured.home}", highlight=False)

    async def open_all() -> None:
        for role in ROLES:
            async with open_records(configured, role):
                out.print(f"the records of {role} can be opened", highlight=False)

    if connect:
        run_async(open_all())


@commands.command(name="plugins")
def list_plugins() -> None:
    """List what can be named in the settings."""
    for kind in plugins.FOLDERS:
        out.print(f"[bold]{kind}[/]: {', '.join(plugins.available(kind))}", highlight=False)


@commands.command()
def openapi() -> None:
    """Print the OpenAPI document of the web application's API."""

    async def describe() -> Any:
        with tempfile.TemporaryDirectory() as home:
            nothing = dict.fromkeys(("objects", "records", "vectors", "graph", "analytics"), "memory:")
            settings = read_settings({"stores": nothing}, {"STRATA_HOME": home})
            async with build(settings, deliver=False) as platform:
                return web_site(platform).openapi()

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(run_async(describe())), indent=2).decode() + "\n")

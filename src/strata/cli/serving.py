"""Commands that serve, and that let people in."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from strata import __version__
from strata.cli.common import SettingsPath, out, run_async
from strata.cli.documents import bring_in
from strata.errors import Invalid, NotFound
from strata.running import where, who
from strata.schema import Role
from strata.serve import run as run_server
from strata.settings import ROLES, Settings
from strata.settings import load as load_settings
from strata.wiring import Platform, open_signin
from strata.workers import run as run_workers

commands = typer.Typer()


@commands.command()
def serve(
    roles: Annotated[
        list[str] | None, typer.Argument(help=f"What to play: {', '.join(ROLES)}. None: everything.")
    ] = None,
    settings: SettingsPath = None,
    port: Annotated[int | None, typer.Option(help="Listen here instead of where the settings say.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes that share the port; for the gateway alone.")
    ] = None,
) -> None:
    """Serve all roles in one process, or only those named."""
    wanted = _roles(roles)
    configured = load_settings(settings)
    many = workers or (configured.workers if wanted == ("gateway",) else 1)
    if many == 1:
        run_async(run_server(configured, wanted, _announce, port=port))
        return
    run_workers(configured, wanted, many, lambda url: _tell_where(f"{many} workers serve", wanted, url), port=port)


@commands.command()
def run(settings: SettingsPath = None) -> None:
    """Load every corpus that has a path, serve everything, and print where to open it."""

    async def load_and_announce(platform: Platform, url: str) -> None:
        for corpus in platform.settings.data.corpora:
            if corpus.path:
                await bring_in(platform.library, platform.settings, [Path(corpus.path)], corpus)
        await _announce(platform, url)
        assert platform.signin is not None
        _print_links(platform.settings, url, await platform.signin.links())
        out.print("\nCtrl-C stops it; everything is kept.\n")

    run_async(run_server(load_settings(settings), ROLES, load_and_announce))


@commands.command()
def reload(settings: SettingsPath = None) -> None:
    """Let the gateway that runs take the settings as they are now; settings that do not hold change nothing."""
    configured = load_settings(settings)
    process = who(configured.home, "gateway")
    if process is None:
        raise NotFound(f"no gateway runs on {configured.home}; `strata serve` starts one")
    os.kill(process, signal.SIGHUP)
    out.print(f"The gateway (process {process}) has been told to take version {configured.version}.")
    out.print("`/readyz` shows the version in force; what does not hold is in its log.")


async def _announce(platform: Platform, url: str) -> None:
    _tell_where("serves", platform.roles, url)
    if "app" in platform.roles and platform.settings.web is None:
        out.print("[yellow]The web application is not built here; run `make web`.[/]")


def _tell_where(who: str, roles: Sequence[Role], url: str) -> None:
    where = f"[link={url}]{url}[/link]"
    out.print(f"\n[bold]Strata[/] {__version__} {who} {', '.join(roles)} at {where}", highlight=False)


def _roles(names: list[str] | None) -> tuple[Role, ...]:
    unknown = sorted(set(names or ()) - set(ROLES))
    if unknown:
        raise Invalid(f"no role called {', '.join(unknown)}; there are {', '.join(ROLES)}")
    return tuple(role for role in ROLES if not names or role in names)


def _print_links(settings: Settings, url: str, tokens: dict[str, str]) -> None:
    people = {person.id: person for person in settings.app.people}
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for column in ("sign in as", "who", "link (keep it to yourself)"):
        table.add_column(column, no_wrap=True)
    for person, token in tokens.items():
        table.add_row(people[person].name, people[person].title, f"{url}/sign-in#{token}")
    wide = Console(width=max(out.width, 400), soft_wrap=True)
    wide.print(table, highlight=False)


@commands.command()
def links(
    people: Annotated[list[str] | None, typer.Argument(help="Only these people.")] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Make their links and sign-ins void first.")] = False,
    settings: SettingsPath = None,
) -> None:
    """Print a sign-in link for every person of the settings, made at random for this installation."""
    configured = load_settings(settings)
    if withdraw and not people:
        raise Invalid("name the people whose links are to be withdrawn")

    async def show() -> dict[str, str]:
        async with open_signin(configured) as door:
            for person in people if people and withdraw else []:
                await door.withdraw(person)
            return await door.links(people or ())

    tokens = run_async(show())
    url = where(configured.home, "app") or configured.remote.get("app") or configured.url
    _print_links(configured, url, tokens)

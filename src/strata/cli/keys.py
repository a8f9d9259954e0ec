"""Commands about the gateway's API keys."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Annotated

import typer
from rich.table import Table

from strata.cli.common import SettingsPath, err, operator, out, run_async
from strata.errors import NotFound
from strata.settings import load as load_settings
from strata.types import now
from strata.wiring import open_keys

keys = typer.Typer(help="API keys of the gateway.", no_args_is_help=True)


@keys.command(name="create")
def create_key(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    department: Annotated[str, typer.Option(help="The department that pays.")],
    owner: Annotated[str, typer.Option(help="The person who answers for it.")] = "",
    days: Annotated[int, typer.Option(help="How long it is valid, in days; 0 for ever.")] = 90,
    model: Annotated[
        list[str] | None, typer.Option(help="A model that it is for; several times, or none for all.")
    ] = None,
    operation: Annotated[list[str] | None, typer.Option(help="An operation that it is for, such as chat.")] = None,
    settings: SettingsPath = None,
) -> None:
    """Make an API key. It is shown once and kept only as a hash."""
    configured = load_settings(settings)
    models = {item.name for item in configured.gateway.models} | {item.name for item in configured.gateway.routes}
    if unknown := set(model or ()) - models:
        raise NotFound(f"there are no models {sorted(unknown)}; there are {sorted(models)}")
    known = [item.id for item in configured.app.departments]
    if known and department not in known:
        raise NotFound(f"there is no department {department!r}; there are {known}")

    async def make() -> str:
        async with open_keys(configured) as shelf:
            expires_at = now() + timedelta(days=days) if days else None
            made = await shelf.create(
                operator(configured), name, owner=owner, department=department, expires_at=expires_at,
                models=model or (), operations=operation or (),
            )  # fmt: skip
            return made[1]

    err.print("[dim]This is the only time that the key is shown:[/]")
    sys.stdout.write(run_async(make()) + "\n")


@keys.command(name="list")
def list_keys(settings: SettingsPath = None) -> None:
    """List the API keys, without their secrets."""
    configured = load_settings(settings)

    async def show() -> None:
        async with open_keys(configured) as shelf:
            table = Table("id", "name", "department", "for", "expires", "last used", "state", box=None, padding=(0, 2))
            for key in await shelf.list(operator(configured)):
                expires = key.expires_at.date().isoformat() if key.expires_at else "never"
                scope = ", ".join(sorted(key.models | key.operations)) or "everything"
                used = key.used_at.isoformat(" ", "minutes") if key.used_at else "never"
                over = key.expires_at is not None and key.expires_at <= now()
                state = (
                    "revoked" if key.revoked_at else "expired" if over else "rotated" if key.replaced_by else "valid"
                )
                table.add_row(key.id, key.name, key.department, scope, expires, used, state)
            out.print(table)

    run_async(show())


@keys.command(name="rotate")
def rotate_key(
    key: Annotated[str, typer.Argument(help="The key's id.")],
    grace: Annotated[float, typer.Option(help="Hours for which the old one still opens.")] = 24,
    days: Annotated[int, typer.Option(help="How long the new one is valid, in days; 0 for ever.")] = 90,
    settings: SettingsPath = None,
) -> None:
    """Make a successor of an API key, with its scope, budgets and usage. It is shown once."""
    configured = load_settings(settings)

    async def make() -> str:
        async with open_keys(configured) as shelf:
            expires_at = now() + timedelta(days=days) if days else None
            made = await shelf.rotate(operator(configured), key, grace=timedelta(hours=grace), expires_at=expires_at)
            return made[1]

    err.print(f"[dim]The old key opens for {grace:g} hours more. This is the only time that the new one is shown:[/]")
    sys.stdout.write(run_async(make()) + "\n")


@keys.command(name="revoke")
def revoke_key(key: Annotated[str, typer.Argument(help="The key's id.")], settings: SettingsPath = None) -> None:
    """Withdraw an API key; within seconds it is refused everywhere."""
    configured = load_settings(settings)

    async def withdraw() -> None:
        async with open_keys(configured) as shelf:
            await shelf.revoke(operator(configured), key)

    run_async(withdraw())
    out.print(f"{key} is revoked")

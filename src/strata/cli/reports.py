"""Commands about usage, cost and the audit record."""

from __future__ import annotations

import csv
import sys
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from io import StringIO
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from strata.cli.common import SettingsPath, err, operator, out, reach, run_async
from strata.errors import Invalid, NotFound
from strata.settings import Settings
from strata.settings import load as load_settings
from strata.types import AuditVerdict, now
from strata.wiring import audit_public_key

commands = typer.Typer()
usage = typer.Typer(help="Usage, cost and budgets.")
audit = typer.Typer(help="The tamper-evident record.", no_args_is_help=True)


@usage.callback(invoke_without_command=True)
def show_usage(
    context: typer.Context,
    by: Annotated[str, typer.Option(help="department, person, assistant or model.")] = "department",
    days: Annotated[int, typer.Option(help="How many days back.")] = 30,
    export: Annotated[str, typer.Option(help="Print every charge instead: csv or focus.", metavar="FORM")] = "",
    settings: SettingsPath = None,
) -> None:
    """Show usage, cost and budgets."""
    if context.invoked_subcommand:
        return
    configured = load_settings(settings)

    async def show() -> None:
        async with reach(configured, "reporting") as platform:
            if export:
                today = now().date()
                since = today - timedelta(days=days)
                async for line in platform.ledger.export(operator(configured), export, since, today):
                    sys.stdout.write(line)
                return
            report = await platform.ledger.usage(operator(configured), by, days)
        table = Table(by, "requests", "prompt tokens", "completion tokens", report.currency, box=None, padding=(0, 2))
        for row in (*report.rows, report.total):
            cost = f"{row.cost_micros / 1_000_000:.6f}"
            table.add_row(row.key or "—", str(row.requests), str(row.prompt_tokens), str(row.completion_tokens), cost)
        out.print(table)
        for status in report.budgets:
            spent, limit = status.spent / 1_000_000, status.budget.limit.micros / 1_000_000
            name = f"{status.budget.name} ({status.member})" if status.member else status.budget.name
            told = f"{name}: {spent:.4f} of {limit:.2f} {status.budget.limit.currency}, {status.state}"
            out.print(f"  {told}", highlight=False)

    run_async(show())


@usage.command()
def reconcile(
    invoice: Annotated[Path, typer.Option(help="The vendor's invoice: CSV with day, model, cost, or FOCUS.")],
    provider: Annotated[str, typer.Option(help="Only what this provider was called for, such as openai.")] = "",
    tolerance: Annotated[str, typer.Option(help="A difference a day and model that is left unsaid.")] = "0.01",
    settings: SettingsPath = None,
) -> None:
    """Compare what was charged with a vendor's invoice, day by day and model by model."""
    from strata.reporting.invoice import Line, differences, read

    configured = load_settings(settings)
    try:
        theirs = read(invoice.read_text(encoding="utf-8-sig").splitlines())
        allowed = Decimal(tolerance)
    except OSError as error:
        raise NotFound(f"cannot read {str(invoice)!r}: {error.strerror}") from error
    except InvalidOperation as error:
        raise Invalid(f"--tolerance {tolerance!r} is no amount such as 0.01") from error
    if not theirs:
        raise Invalid(f"there are no lines in {str(invoice)!r}")
    days = sorted(date.fromisoformat(line.day) for line in theirs)

    async def charged() -> str:
        async with reach(configured, "reporting") as platform:
            lines = platform.ledger.export(operator(configured), "csv", days[0], days[-1])
            return "".join([line async for line in lines])

    rows = csv.DictReader(StringIO(run_async(charged())))
    ours = [
        Line(row["day"], row["model"], Decimal(row["cost"]), row["currency"])
        for row in rows
        if not provider or row["provider"] == provider
    ]
    currencies = {line.currency for line in (*ours, *theirs) if line.currency}
    if len(currencies) > 1:
        raise Invalid(f"the invoice and the charges are in {', '.join(sorted(currencies))}; compare one currency")
    found = differences(ours, theirs, _alike(configured), allowed)
    table = Table("day", "model", "charged", "invoiced", "difference", box=None, padding=(0, 2))
    for each in found:
        table.add_row(each.day, each.models, f"{each.ours:.6f}", f"{each.theirs:.6f}", f"{each.excess:+.6f}")
    totals = f"{sum(it.cost for it in ours):.6f} charged, {sum(it.cost for it in theirs):.6f} invoiced"
    if found:
        out.print(table)
        err.print(f"[red]{len(found)} days and models differ:[/] {totals}", highlight=False)
        raise typer.Exit(1)
    out.print(f"[green]✓[/] {totals}", highlight=False)


def _alike(settings: Settings) -> list[set[str]]:
    """The names under which the same calls may stand: the vendor's for a model, ours, and the routes that lead to it."""
    models = [{model.name, model.model} for model in settings.gateway.models]
    routes = [
        {route.name, *(variant.model for variant in route.variants), *route.fallbacks}
        for route in settings.gateway.routes
    ]
    return [*models, *routes]


@audit.command()
def verify(
    log: Annotated[Path | None, typer.Option(help="Check this export instead of the living record.")] = None,
    witness: Annotated[Path | None, typer.Option(help="The witness file that an export is checked against.")] = None,
    public_key: Annotated[str, typer.Option(help="The installation's public key; `strata audit key` prints it.")] = "",
    settings: SettingsPath = None,
) -> None:
    """Check that no entry of the audit record was changed, removed or added unseen."""
    configured = load_settings(settings)

    async def check() -> AuditVerdict:
        async with reach(configured, "reporting") as platform:
            return await platform.ledger.verify(operator(configured))

    if log is None:
        verdict = run_async(check())
    elif witness is None:
        raise Invalid("an export is checked against a witness file; name it with --witness")
    else:
        verdict = _verify_files(configured, log, witness, public_key)
    for problem in verdict.problems:
        out.print(f"[red]✗[/] {problem}", highlight=False)
    checked = f"{verdict.entries} entries against {verdict.checkpoints} checkpoints; root {verdict.root}"
    if verdict.problems:
        err.print(f"[red]The record does not verify:[/] {checked}", highlight=False)
        raise typer.Exit(1)
    out.print(f"[green]✓[/] {checked}", highlight=False)


def _verify_files(settings: Settings, log: Path, witness: Path, public_key: str) -> AuditVerdict:
    from strata.reporting.verify import verify_files

    try:
        key = bytes.fromhex(public_key) if public_key else audit_public_key(settings)
        return verify_files(settings.tenant, log, witness, key)
    except ValueError as error:
        raise Invalid("a public key is 64 hexadecimal digits") from error
    except OSError as error:
        raise NotFound(f"cannot read {error.filename!r}: {error.strerror}") from error


@audit.command(name="key")
def show_audit_key(settings: SettingsPath = None) -> None:
    """Print the public key that checkpoints of the audit record are signed for. It is no secret."""
    sys.stdout.write(audit_public_key(load_settings(settings)).hex() + "\n")


@audit.command(name="export")
def export_audit(settings: SettingsPath = None) -> None:
    """Print the whole record as JSON Lines, for an offline verification or an archive."""
    configured = load_settings(settings)

    async def show() -> None:
        async with reach(configured, "reporting") as platform:
            after = 0
            while entries := await platform.ledger.audit(operator(configured), after=after, limit=500):
                for entry in entries:
                    sys.stdout.write(msgspec.json.encode(entry).decode() + "\n")
                after = entries[-1].sequence

    run_async(show())

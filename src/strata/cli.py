"""The command line: serve, ingest, ask, evaluate, and look after keys, budgets and the audit record.

A command that needs a layer talks to the process that plays it on this home folder or at its address in the settings;
where none runs, it plays the layer itself for as long as the command takes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import tempfile
from collections.abc import AsyncIterator, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from strata import __version__, plugins
from strata.errors import Invalid, Misconfigured, NotFound, StrataError
from strata.running import claim, where
from strata.serve import run as run_server
from strata.serve import web_site
from strata.settings import NEEDS, ROLES, Role, Settings
from strata.settings import load as load_settings
from strata.settings import read as read_settings
from strata.types import AuditVerdict, Cited, Corpus, Done, Failed, Metered, Principal, Said, now
from strata.wiring import Platform, audit_public_key, build, neighbour, open_keys, open_signin

T = TypeVar("T")

cli = typer.Typer(
    name="strata",
    help="Knowledge assistants for organisations that answer to a regulator.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
)
audit = typer.Typer(help="The tamper-evident record.", no_args_is_help=True)
keys = typer.Typer(help="API keys of the gateway.", no_args_is_help=True)
cli.add_typer(audit, name="audit")
cli.add_typer(keys, name="keys")

out = Console()
err = Console(stderr=True)

SettingsPath = Annotated[
    Path | None, typer.Option("--settings", "-s", help="The settings file (else STRATA_SETTINGS, else ./strata.toml).")
]
AsPerson = Annotated[str, typer.Option("--as", help="The person who is asking.", metavar="PERSON")]


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


def _run(work: Coroutine[Any, Any, T]) -> T:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


@cli.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        out.print(f"strata {__version__}", highlight=False)
        raise typer.Exit


# ------------------------------------------------------------------ serving


@cli.command()
def serve(
    roles: Annotated[
        list[str] | None, typer.Argument(help=f"What to play: {', '.join(ROLES)}. None: everything.")
    ] = None,
    settings: SettingsPath = None,
    port: Annotated[int | None, typer.Option(help="Listen here instead of where the settings say.")] = None,
) -> None:
    """Serve all roles in one process, or only those named."""
    wanted = _roles(roles)
    configured = load_settings(settings)
    _run(run_server(configured, wanted, _announce, port=port))


@cli.command()
def run(settings: SettingsPath = None) -> None:
    """Load every corpus that has a path, serve everything, and print where to open it."""

    async def load_and_announce(platform: Platform, url: str) -> None:
        for corpus in platform.settings.data.corpora:
            if corpus.path:
                await _ingest(platform.library, platform.settings, [Path(corpus.path)], corpus, prune=True)
        await _announce(platform, url)
        assert platform.signin is not None
        _print_links(platform.settings, url, await platform.signin.links())
        out.print("\nCtrl-C stops it; everything is kept.\n")

    _run(run_server(load_settings(settings), ROLES, load_and_announce))


async def _announce(platform: Platform, url: str) -> None:
    out.print(
        f"\n[bold]Strata[/] {__version__} serves {', '.join(platform.roles)} at [link={url}]{url}[/link]",
        highlight=False,
    )
    if "app" in platform.roles and platform.settings.web is None:
        out.print("[yellow]The web application is not built here; run `make web`.[/]")


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


@cli.command()
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

    tokens = _run(show())
    url = where(configured.home, "app") or configured.remote.get("app") or configured.url
    _print_links(configured, url, tokens)


# ------------------------------------------------------------------ reaching the layers


@contextlib.asynccontextmanager
async def _platform(settings: Settings, *needed: Role) -> AsyncIterator[Platform]:
    """The needed layers: those that run somewhere over the wire, the others played here."""
    closure: list[Role] = list(needed)
    for role in closure:
        closure.extend(need for need in NEEDS[role] if need not in closure)
    reached = {role: url for role in closure if (url := where(settings.home, role) or settings.remote.get(role))}
    here = tuple(role for role in ROLES if role in closure and role not in reached)
    held = claim(settings.home, here, "the command line")
    try:
        async with build(settings, here) as platform, contextlib.AsyncExitStack() as stack:
            for role, url in reached.items():
                platform.layers.setdefault(role, neighbour(settings, role, url, "cli", stack))
            yield platform
            await platform.drain()
    finally:
        held.release()


def _person(settings: Settings, name: str) -> Principal:
    for person in settings.app.people:
        if person.id == name:
            return person.principal(settings.tenant)
    raise NotFound(f"there is no person {name!r}; there are {[person.id for person in settings.app.people]}")


def _operator(settings: Settings) -> Principal:
    """The command line in its own name: whoever holds the installation's master key operates it."""
    roles = frozenset({"operator", "ingest", "caller"})
    return Principal(settings.tenant, "operator", "command line", kind="service", roles=roles)


def _corpus(settings: Settings, name: str) -> Corpus:
    for corpus in settings.data.corpora:
        if corpus.id == name:
            return corpus
    raise NotFound(f"there is no corpus {name!r}; there are {[corpus.id for corpus in settings.data.corpora]}")


# ------------------------------------------------------------------ documents


@cli.command()
def ingest(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files and folders. None: every corpus that has a path.")
    ] = None,
    corpus: Annotated[str, typer.Option(help="The corpus that they belong to.")] = "",
    prune: Annotated[bool, typer.Option("--prune", help="Remove documents whose file has vanished.")] = False,
    settings: SettingsPath = None,
) -> None:
    """Bring documents in. Unchanged files cost nothing, changed ones replace, unreadable ones go to quarantine."""
    configured = load_settings(settings)
    if paths and not corpus:
        if len(configured.data.corpora) != 1:
            raise Invalid(f"say which --corpus; there are {[item.id for item in configured.data.corpora]}")
        corpus = configured.data.corpora[0].id
    if paths:
        work = [(_corpus(configured, corpus), paths)]
    else:
        work = [(item, [Path(item.path)]) for item in configured.data.corpora if item.path and corpus in {"", item.id}]
    if not work:
        raise Invalid("nothing to ingest: name a path, or give a corpus a path in the settings")

    async def bring() -> int:
        bad = 0
        async with _platform(configured, "data") as platform:
            for item, places in work:
                bad += await _ingest(platform.library, configured, places, item, prune=prune)
        return bad

    if _run(bring()):
        raise typer.Exit(3)


async def _ingest(library: Any, settings: Settings, paths: list[Path], corpus: Corpus, *, prune: bool) -> int:
    """Ingest with a progress bar; prints what happened and returns how many files went to quarantine."""
    from strata.data.ingest import ingest as bring_in

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True) as progress:
        bar = progress.add_task(corpus.name, total=None)
        summary = await bring_in(
            library,
            _operator(settings),
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


@cli.command()
def documents(
    person: AsPerson,
    corpus: Annotated[str, typer.Option(help="Only this corpus.")] = "",
    settings: SettingsPath = None,
) -> None:
    """List the documents that a person may read, with their state."""
    configured = load_settings(settings)

    async def show() -> None:
        async with _platform(configured, "data") as platform:
            table = Table("source", "title", "state", "classification", "readers", box=None, padding=(0, 1))
            for item in await platform.library.documents(_person(configured, person), corpus):
                table.add_row(
                    f"{item.corpus}/{item.source}",
                    item.title,
                    item.state,
                    item.classification,
                    ", ".join(sorted(item.readers)),
                )
            out.print(table)

    _run(show())


# ------------------------------------------------------------------ questions


@cli.command()
def ask(
    assistant: Annotated[str, typer.Argument(help="Which assistant.")],
    question: Annotated[str, typer.Argument(help="The question.")],
    person: AsPerson,
    settings: SettingsPath = None,
) -> None:
    """Ask an assistant, as a person, and print the answer with its sources."""
    configured = load_settings(settings)

    async def answer() -> None:
        asker = _person(configured, person)
        async with _platform(configured, "app") as platform:
            session = await platform.assistants.open(asker, assistant)
            text, sources = "", []
            async for part in platform.assistants.answer(asker, session.id, question):
                match part:
                    case Cited(citation):
                        page = f", page {citation.page}" if citation.page else ""
                        sources.append(f"[{citation.number}] {citation.title}{page}: “{citation.quote}”")
                    case Said(sentence):
                        marks = "".join(f"[{number}]" for number in sentence.citations)
                        doubt = " (not supported by the documents)" if sentence.support == "unsupported" else ""
                        body = sentence.text.rstrip()
                        text += (
                            f"{body} {marks}{doubt}{sentence.text[len(body) :]}" if marks or doubt else sentence.text
                        )
                    case Metered(usage):
                        cost = usage.cost.micros / 1_000_000
                        spent = (
                            f"{usage.prompt_tokens + usage.completion_tokens} tokens, {cost:.6f} {usage.cost.currency}"
                        )
                        err.print(
                            f"[dim]{usage.model or 'no model'}, {spent}, {usage.seconds:.2f} s[/]", highlight=False
                        )
                    case Failed(problem):
                        raise StrataError(str(problem.get("detail")))
                    case Done(outcome):
                        out.print(Markdown(text))
                        for source in sources:
                            out.print(f"  {source}", style="dim", markup=False, highlight=False)
                        err.print(f"[dim]{outcome}[/]")

    _run(answer())


@cli.command(name="eval")
def evaluate(
    dataset: Annotated[Path, typer.Argument(help="Questions with what a right answer holds, as JSON Lines.")],
    settings: SettingsPath = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole report as JSON.")] = False,
) -> None:
    """Ask an assistant every question of a set and score the answers."""
    from strata.factory.datasets import load as load_cases

    configured = load_settings(settings)
    cases = load_cases(dataset.read_bytes())

    async def judge() -> Any:
        async with _platform(configured, "factory") as platform:
            with err.status(f"Asking {len(cases)} questions …"):
                return await platform.factory.evaluate(_operator(configured), dataset.name, cases)

    report = _run(judge())
    if as_json:
        out.print_json(msgspec.json.encode(report).decode())
        return
    for result in report.results:
        if not result.passed:
            out.print(f"[red]✗[/] {result.case} ({result.kind}): ", end="")
            out.print(result.reason or result.answer, markup=False, highlight=False)
    table = Table("kind", "score", box=None)
    for name, score in report.scores.items():
        table.add_row(name, f"{score:.3f}")
    out.print(table)


# ------------------------------------------------------------------ reports


@cli.command()
def usage(
    by: Annotated[str, typer.Option(help="department, person, assistant or model.")] = "department",
    days: Annotated[int, typer.Option(help="How many days back.")] = 30,
    export: Annotated[str, typer.Option(help="Print every charge instead: csv or focus.", metavar="FORM")] = "",
    settings: SettingsPath = None,
) -> None:
    """Show usage, cost and budgets."""
    configured = load_settings(settings)

    async def show() -> None:
        async with _platform(configured, "reporting") as platform:
            if export:
                today = now().date()
                since = today - timedelta(days=days)
                async for line in platform.ledger.export(_operator(configured), export, since, today):
                    sys.stdout.write(line)
                return
            report = await platform.ledger.usage(_operator(configured), by, days)
        table = Table(by, "requests", "prompt tokens", "completion tokens", report.currency, box=None, padding=(0, 2))
        for row in (*report.rows, report.total):
            cost = f"{row.cost_micros / 1_000_000:.6f}"
            table.add_row(row.key or "—", str(row.requests), str(row.prompt_tokens), str(row.completion_tokens), cost)
        out.print(table)
        for status in report.budgets:
            spent, limit = status.spent / 1_000_000, status.budget.limit.micros / 1_000_000
            told = f"{status.budget.name}: {spent:.4f} of {limit:.2f} {status.budget.limit.currency}, {status.state}"
            out.print(f"  {told}", highlight=False)

    _run(show())


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
        async with _platform(configured, "reporting") as platform:
            return await platform.ledger.verify(_operator(configured))

    if log is None:
        verdict = _run(check())
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
        async with _platform(configured, "reporting") as platform:
            after = 0
            while entries := await platform.ledger.audit(_operator(configured), after=after, limit=500):
                for entry in entries:
                    sys.stdout.write(msgspec.json.encode(entry).decode() + "\n")
                after = entries[-1].sequence

    _run(show())


@keys.command(name="create")
def create_key(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    department: Annotated[str, typer.Option(help="The department that pays.")],
    owner: Annotated[str, typer.Option(help="The person who answers for it.")] = "",
    days: Annotated[int, typer.Option(help="How long it is valid, in days; 0 for ever.")] = 90,
    settings: SettingsPath = None,
) -> None:
    """Make an API key. It is shown once and kept only as a hash."""
    configured = load_settings(settings)
    known = [item.id for item in configured.app.departments]
    if known and department not in known:
        raise NotFound(f"there is no department {department!r}; there are {known}")

    async def make() -> str:
        async with open_keys(configured) as shelf:
            expires_at = now() + timedelta(days=days) if days else None
            made = await shelf.create(
                _operator(configured), name, owner=owner, department=department, expires_at=expires_at
            )
            return made[1]

    err.print("[dim]This is the only time that the key is shown:[/]")
    sys.stdout.write(_run(make()) + "\n")


@keys.command(name="list")
def list_keys(settings: SettingsPath = None) -> None:
    """List the API keys, without their secrets."""
    configured = load_settings(settings)

    async def show() -> None:
        async with open_keys(configured) as shelf:
            table = Table("id", "name", "department", "expires", "state", box=None, padding=(0, 2))
            for key in await shelf.list(_operator(configured)):
                expires = key.expires_at.date().isoformat() if key.expires_at else "never"
                table.add_row(key.id, key.name, key.department, expires, "revoked" if key.revoked_at else "valid")
            out.print(table)

    _run(show())


@keys.command(name="revoke")
def revoke_key(key: Annotated[str, typer.Argument(help="The key's id.")], settings: SettingsPath = None) -> None:
    """Withdraw an API key; within seconds it is refused everywhere."""
    configured = load_settings(settings)

    async def withdraw() -> None:
        async with open_keys(configured) as shelf:
            await shelf.revoke(_operator(configured), key)

    _run(withdraw())
    out.print(f"{key} is revoked")


# ------------------------------------------------------------------ about the installation


@cli.command(name="settings")
def check_settings(settings: SettingsPath = None) -> None:
    """Check the settings, and tell every mistake at once."""
    configured = load_settings(settings)
    out.print(f"{configured.source or 'the defaults'}: no mistakes; home is {configured.home}", highlight=False)


@cli.command(name="plugins")
def list_plugins() -> None:
    """List what can be named in the settings."""
    for kind in plugins.FOLDERS:
        out.print(f"[bold]{kind}[/]: {', '.join(plugins.available(kind))}", highlight=False)


@cli.command()
def openapi() -> None:
    """Print the OpenAPI document of the web application's API."""

    async def describe() -> Any:
        with tempfile.TemporaryDirectory() as home:
            nothing = dict.fromkeys(("objects", "records", "vectors", "graph", "analytics"), "memory:")
            settings = read_settings({"stores": nothing}, {"STRATA_HOME": home})
            async with build(settings, deliver=False) as platform:
                return web_site(platform).openapi()

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(_run(describe())), indent=2).decode() + "\n")


if __name__ == "__main__":
    main()

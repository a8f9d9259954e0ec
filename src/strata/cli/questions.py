"""Commands that ask: one question, or a whole evaluation set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from strata.cli.common import AsPerson, SettingsPath, err, operator, out, person_named, reach, run_async
from strata.errors import StrataError
from strata.settings import load as load_settings
from strata.types import Cited, Done, Failed, Metered, Said

commands = typer.Typer()


@commands.command()
def ask(
    assistant: Annotated[str, typer.Argument(help="Which assistant.")],
    question: Annotated[str, typer.Argument(help="The question.")],
    person: AsPerson,
    settings: SettingsPath = None,
) -> None:
    """Ask an assistant, as a person, and print the answer with its sources."""
    configured = load_settings(settings)

    async def answer() -> None:
        asker = person_named(configured, person)
        async with reach(configured, "app") as platform:
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
                        from rich.markdown import Markdown

                        out.print(Markdown(text))
                        for source in sources:
                            out.print(f"  {source}", style="dim", markup=False, highlight=False)
                        err.print(f"[dim]{outcome}[/]")

    run_async(answer())


@commands.command(name="eval")
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
        async with reach(configured, "factory") as platform:
            with err.status(f"Asking {len(cases)} questions …"):
                return await platform.factory.evaluate(operator(configured), dataset.name, cases)

    report = run_async(judge())
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

"""Writes the reference pages out of the code, so that they cannot say anything else.

    .venv/bin/python docs/reference/generate.py [--check]

`--check` writes nothing and fails when a page is out of date; `make test` runs it.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from strata import errors, events, plugins, schema
from strata.app.options import Options as AppOptions
from strata.cli import cli
from strata.data.options import Options as DataOptions
from strata.gateway.options import Options as GatewayOptions
from strata.reporting.options import Options as ReportingOptions
from strata.schema import File

HERE = Path(__file__).parent
MADE = "<!-- made by docs/reference/generate.py; change the code, not this page -->\n"


def main() -> None:
    stale = []
    for name, lines in {
        "settings.md": settings_page(),
        "command-line.md": command_page(),
        "events.md": event_page(),
        "errors.md": error_page(),
        "plugins.md": plugin_page(),
    }.items():
        text = MADE + "\n".join(lines).rstrip() + "\n"
        place = HERE / name
        if "--check" in sys.argv:
            if not place.is_file() or place.read_text(encoding="utf-8") != text:
                stale.append(name)
        else:
            place.write_text(text, encoding="utf-8")
    if stale:
        sys.exit(f"out of date: {', '.join(stale)}; run docs/reference/generate.py")


def settings_page() -> Iterator[str]:
    yield "# Settings\n"
    yield "One TOML file, validated whole: every mistake is reported at once. `strata settings` checks it. A value `env:NAME`,"
    yield "`file:PATH`, `secret:aws/NAME#FIELD` or `secret:vault/PATH#FIELD` inside `options`, `stores`, `strata.master_key`,"
    yield "`serve.metrics_token` and `remote.keys` is a reference to [a secret kept elsewhere](../how-to/secrets.md)."
    yield "`STRATA_SETTINGS`, `STRATA_HOME`, `STRATA_PORT` and `STRATA_MASTER_KEY` win over the file.\n"
    layers = {"gateway": GatewayOptions, "data": DataOptions, "reporting": ReportingOptions, "app": AppOptions}
    for name, info in File.model_fields.items():
        model = _model(info.annotation)
        many = str(info.annotation).startswith("list")
        heading = f"[[{name}]]" if many else f"[{name}.NAME]" if name in {"models", "routes"} else f"[{name}]"
        yield f"## `{heading}`\n"
        if model is not None:
            yield from _table(model)
            for key, field in model.model_fields.items():
                inner = _model(field.annotation)
                if inner is not None:
                    parent = heading.strip("[]")
                    listed = str(field.annotation).startswith("list")
                    yield f"\n### `{f'[[{parent}.{key}]]' if listed else f'[{parent}.{key}]'}`\n"
                    yield " ".join((inspect.getdoc(inner) or "").split()) + "\n"
                    yield from _table(inner)
        elif name == "secrets":
            yield "`[secrets.aws]` and `[secrets.vault]`: how to reach the stores of secrets that references name, and how to be let"
            yield "in. [Their settings](../how-to/secrets.md)."
        elif name in layers:
            yield " ".join((inspect.getdoc(layers[name]) or "").split()) + "\n"
            yield "| setting | type | default |"
            yield "| --- | --- | --- |"
            for field in dataclasses.fields(layers[name]):
                if isinstance(field.default, str | int | float | bool):
                    yield f"| `{field.name}` | {type(field.default).__name__} | `{_plain(field.default)}` |"
        yield ""


def _table(model: typing.Any) -> Iterator[str]:
    yield "| setting | type | default |"
    yield "| --- | --- | --- |"
    for key, field in model.model_fields.items():
        default = "required" if field.is_required() else f"`{_plain(field.default)}`"
        if _model(field.annotation) is not None:
            default = "below"
        yield f"| `{key}` | {_type(field.annotation)} | {default} |"


def _model(annotation: object) -> type | None:
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, schema.Section):
            return candidate
    return None


def _plain(value: object) -> str:
    return str(value.model_dump() if hasattr(value, "model_dump") else value).replace("|", "\\|")


def _type(annotation: object) -> str:
    if typing.get_origin(annotation) is typing.Annotated:
        return _type(typing.get_args(annotation)[0])
    parts = typing.get_args(annotation)
    if typing.get_origin(annotation) in {list, dict}:
        return f"{typing.get_origin(annotation).__name__}[{', '.join(_type(part) for part in parts)}]"
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        return " or ".join(_type(part) for part in parts)
    if annotation is type(None):
        return "None"
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")


def command_page() -> Iterator[str]:
    yield "# Command line\n"
    group = typer.main.get_command(cli)
    yield from _command(group, "strata")


def _command(command: Any, name: str) -> Iterator[str]:
    context = command.make_context(name, [], resilient_parsing=True)
    if hasattr(command, "commands"):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found is not None:
                yield from _command(found, f"{name} {child}")
        return
    yield f"## `{name}`\n"
    yield f"{(command.help or '').strip()}\n"
    rows = [record for parameter in command.params if (record := parameter.get_help_record(context))]
    if rows:
        yield "| | |"
        yield "| --- | --- |"
        for option, text in rows:
            yield f"| `{' '.join(option.split())}` | {' '.join(text.split())} |"
    yield ""


def event_page() -> Iterator[str]:
    yield "# Events\n"
    yield f"{inspect.getdoc(events)}\n"
    yield "| event | what it tells | fields | on the audit record |"
    yield "| --- | --- | --- | --- |"
    common = {field.name for field in dataclasses.fields(events.Event)}
    for name, kind in sorted(events.KINDS.items()):
        fields = ", ".join(f"`{field.name}`" for field in dataclasses.fields(kind) if field.name not in common)
        doc = inspect.getdoc(kind) or ""
        told = "" if doc.startswith(f"{name}(") else " ".join(doc.split())
        yield f"| `{name}` | {told} | {fields} | {'yes' if kind.audited else 'as usage'} |"


def error_page() -> Iterator[str]:
    yield "# Errors\n"
    yield f"```\n{inspect.getdoc(errors)}\n```\n"
    yield "| type | status | title | meaning |"
    yield "| --- | --- | --- | --- |"
    for slug, kind in sorted(errors.tree().items()):
        if kind.__module__ == errors.__name__:
            yield f"| `urn:strata:problem:{slug}` | {kind.status} | {kind.title} | {(inspect.getdoc(kind) or '').splitlines()[0]} |"


def plugin_page() -> Iterator[str]:
    yield "# Plugins\n"
    yield "What can be named in the settings. Each is one file; the file's name is the word.\n"
    for kind in plugins.FOLDERS:
        yield f"## {kind}\n"
        yield "| name | what it is |"
        yield "| --- | --- |"
        for scheme in plugins.available(kind):
            yield f"| `{scheme}` | {(plugins.find(kind, scheme).__doc__ or '').strip().splitlines()[0]} |"
        yield ""


if __name__ == "__main__":
    main()

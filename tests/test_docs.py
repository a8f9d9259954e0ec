"""The documentation is true: pages made from code are fresh, links lead somewhere, settings examples are valid."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer

from strata.cli import cli
from strata.gateway.options import Options as GatewayOptions
from strata.settings import File, load

ROOT = Path(__file__).parents[1]
PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "examples").rglob("README.md"),
    ROOT / "bench/README.md",
]


def test_the_reference_says_what_the_code_says():
    check = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "reference" / "generate.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert check.returncode == 0, check.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{target} is not there"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_settings_example_is_valid(page):
    for block in re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
        parsed = tomllib.loads(block)
        if not {"default", "rule"} & set(parsed):
            File.model_validate(parsed)


def test_the_sample_companys_settings_have_no_mistakes(tmp_path):
    settings = load(ROOT / "examples" / "cryodyne" / "strata.toml", {"STRATA_HOME": str(tmp_path)})
    assert len(settings.app.people) >= 12
    assert all(Path(corpus.path).is_dir() for corpus in settings.data.corpora)
    assert {assistant.mode for assistant in settings.app.assistants} == {"generative", "extractive"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_gateway_option_in_an_example_exists(page):
    known = GatewayOptions.__dataclass_fields__
    for block in re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
        assert set(tomllib.loads(block).get("gateway", {})) <= set(known)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_in_an_example_is_understood(page):
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
        for line in block.splitlines():
            if line.startswith("strata "):
                command = typer.main.get_command(cli)
                words = shlex.split(line, comments=True)[1:]
                while words and hasattr(command, "commands"):
                    command = command.commands[words.pop(0)]
                command.make_context(line, words)


def test_every_guide_is_in_the_list():
    listed = (ROOT / "docs/how-to/README.md").read_text(encoding="utf-8")
    guides = [page.name for page in (ROOT / "docs/how-to").glob("*.md") if page.name != "README.md"]
    assert [name for name in guides if f"({name})" not in listed] == []

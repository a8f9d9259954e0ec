"""The pages about providers: every example makes its provider, and every row stands on a page."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from strata import plugins
from strata.gateway.money.prices import published
from strata.gateway.options import Deployment
from strata.gateway.providers.openai import VENDORS

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "how-to" / "providers").glob("*.md"))
EMBEDDED = {"llamacpp", "minilm"}
"""Providers whose example needs files that a test does not have."""


def models(page: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for block in re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
        found |= tomllib.loads(block).get("models", {})
    return found


@pytest.fixture(scope="module")
def account() -> str:
    private = RSAKey.generate_key(2048).as_pem(private=True).decode()
    return json.dumps({"type": "service_account", "client_email": "a@b", "private_key": private})


def resolved(value: Any, account: str, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: resolved(it, account, key) for key, it in value.items()}
    if isinstance(value, list):
        return [resolved(it, account) for it in value]
    if isinstance(value, str) and value.startswith("env:"):
        return "https://example.org/here" if name.endswith(("_uri", "_url")) else "secret"
    return account if isinstance(value, str) and value.startswith("file:") else value


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_example_makes_its_provider(page, account):
    examples = models(page)
    assert examples or page.stem == "README"
    for name, table in examples.items():
        kind, _, row = table["provider"].partition(":")
        if kind in EMBEDDED:
            continue
        options = resolved(table.get("options", {}), account)
        deployment = Deployment(
            name,
            table["kind"],
            table["provider"],
            table.get("model", ""),
            region=table.get("region", ""),
            options=options,
        )
        operation = {"embedding": "embeddings", "rerank": "rerank"}.get(table["kind"], "chat")
        module = plugins.find("provider", kind)
        assert operation in module.make(row, deployment).operations
        vendor = module.price_list(row) if hasattr(module, "price_list") else ""
        assert "price" in table or not vendor or published(vendor, deployment.model), f"{name} has no price"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_page_says_what_is_unproven(page):
    assert page.stem == "README" or "**Unproven here.**" in page.read_text(encoding="utf-8")


def test_every_vendor_that_speaks_openais_dialect_stands_on_a_page():
    shown = {table["provider"] for page in PAGES for table in models(page).values()}
    assert {f"openai:{row}" for row in VENDORS if row != "openai"} <= shown


def test_every_page_is_linked_from_the_index():
    index = (ROOT / "docs" / "how-to" / "providers" / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if page.stem != "README" and f"({page.name})" not in index] == []

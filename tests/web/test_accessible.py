"""Every page and state, in both themes and two widths, has no violation that axe-core can find."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

expect = pytest.importorskip("playwright.sync_api").expect

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

SETTLED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def path(address: str) -> Callable:
    return lambda at: at.go(address)


def chat(question: str, outcome: str = "answered", then: Callable | None = None) -> Callable:
    def act(at):
        at.go("/a/formulation")
        answer = at.ask(question, outcome)
        if then:
            then(at, answer)

    return act


def hover(at, answer):
    answer.locator("[data-citation='1']").first.hover()
    expect(at.page.locator("[data-radix-popper-content-wrapper]")).to_be_visible()


def open_pdf(at, answer):
    answer.locator("[data-citation='1']").first.click()
    expect(at.page.locator(".pdf-text mark").first).to_be_visible()


def open_text(at, answer):
    answer.locator("[data-citation='2']").first.click()
    expect(at.page.locator("mark").first).to_be_visible()


def feedback(at, answer):
    answer.get_by_role("button", name="Give feedback").click()
    at.page.get_by_role("button", name="Excellent").click()


def upload(at):
    at.go("/documents")
    at.page.get_by_role("button", name="Add documents").click()
    expect(at.page.get_by_role("dialog")).to_be_visible()


def preview(at):
    at.go("/documents")
    at.page.get_by_role("button", name="Parental leave policy").click()
    expect(at.page.get_by_role("dialog").get_by_text("Every parent may take")).to_be_visible()


def keys(pressed: str) -> Callable:
    def act(at):
        at.go("/documents")
        at.page.keyboard.press(pressed)
        expect(at.page.get_by_role("dialog")).to_be_visible()

    return act


def account(at):
    at.go("/documents")
    if at.page.get_by_label("Open the menu").is_visible():
        at.page.get_by_label("Open the menu").click()
    at.page.get_by_role("button", name="account and settings").click()
    expect(at.page.get_by_role("menu")).to_be_visible()


def signed_out(at):
    at.page.context.clear_cookies()
    at.go("/sign-in#nobody")
    expect(at.page.get_by_role("alert")).to_be_visible()


STATES = {
    "home": path("/"),
    "sign-in refused": signed_out,
    "new chat": path("/a/formulation"),
    "answer": chat("Summarise the cold chain procedure"),
    "hover card": chat("How must Frostavir be stored?", then=hover),
    "source as PDF": chat("How must Frostavir be stored?", then=open_pdf),
    "source as text": chat("How must Frostavir be stored?", then=open_text),
    "quotes and table": chat("Which dose is right in renal impairment?"),
    "feedback": chat("How must Frostavir be stored?", then=feedback),
    "does not know": chat("Who won the world cup?", "abstained"),
    "problem": chat("What is our budget?", "failed"),
    "documents": path("/documents"),
    "upload": upload,
    "preview": preview,
    "usage": path("/usage"),
    "palette": keys("Control+k"),
    "shortcuts": keys("?"),
    "account": account,
    "not found": path("/nowhere"),
}


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_no_violation(visit, scripted, state, width):
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: run `npm ci` in web/")
    at = visit(width=width)
    STATES[state](at)
    at.page.evaluate(AXE.read_text())
    for theme in ("light", "dark"):
        at.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        expect(at.page.locator("html.dark")).to_have_count(1 if theme == "dark" else 0)
        at.page.evaluate(SETTLED)
        violations = found(at.page)
        assert not violations, f"{theme}: " + "\n".join(violations)


def found(page) -> list[str]:
    run = "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})"
    return [
        f"{one['id']}: {one['help']}\n    "
        + "\n    ".join(
            node["html"][:200] + " " + node["any"][0]["message"] if node["any"] else node["html"][:200]
            for node in one["nodes"][:4]
        )
        for one in page.evaluate(run, TAGS)["violations"]
    ]

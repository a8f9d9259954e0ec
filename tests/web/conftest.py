"""A real browser for the web application, and a site for it to visit: the scripted mock, or a server named by the environment.

`STRATA_WEB_TEST=http://127.0.0.1:8000/sign-in#TOKEN` visits that server instead; tests that need the mock's script are then skipped.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e .[dev]")
playwright.expect.set_options(timeout=30_000)  # nothing fails by being slow

WEB = Path(__file__).parents[2] / "web"
BROWSERS = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True)
class Site:
    """A running web application: its address, a link that signs a curator in, and whether its answers are scripted."""

    url: str
    link: str
    scripted: bool
    question: str  # one that the documents answer


@contextmanager
def mock() -> Iterator[Site]:
    node = shutil.which("node")
    if not node:
        pytest.skip("node is not installed: the scripted server cannot run")
    process = subprocess.Popen(
        [node, str(WEB / "mock" / "server.mjs"), "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "MOCK_PACE": "30"},
    )
    try:
        assert process.stdout is not None
        found = re.search(r"http://[\d.]+:\d+", process.stdout.readline())
        assert found, "the scripted server did not say where it listens"
        yield Site(found[0], f"{found[0]}/sign-in#ingrid", scripted=True, question="How must Frostavir be stored?")
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """Where the tests go."""
    if not (WEB / "dist" / "index.html").is_file():
        pytest.skip("the web application is not built: run `npm ci && npm run build` in web/")
    link = os.environ.get("STRATA_WEB_TEST")
    if link:
        question = os.environ.get("STRATA_WEB_QUESTION", "How must Frostavir be stored?")
        yield Site(link.split("/sign-in")[0], link, scripted=False, question=question)
        return
    with mock() as made:
        yield made


@pytest.fixture
def scripted(site: Site) -> Site:
    """The mock, for what only its script can bring about."""
    if not site.scripted:
        pytest.skip("this needs the scripted answers of web/mock")
    return site


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    path = next((found for found in BROWSERS if Path(found).exists()), None)
    if not path:
        pytest.skip("no Chromium: apt-get install chromium")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=path, args=list(QUIET))
        yield opened
        opened.close()


@dataclass
class Visit:
    """A page in a context of its own, with everything that it complained about or fetched from elsewhere."""

    page: object
    site: Site
    complaints: list[str]
    strangers: list[str]

    def go(self, path: str) -> None:
        self.page.goto(self.site.url + path)
        self.page.wait_for_load_state("networkidle")

    def ask(self, text: str, outcome: str = "answered") -> object:
        """Asks in the open chat and waits for the last answer to end; gives that answer."""
        before = self.page.locator("[data-outcome]:not(section)").count()
        box = self.page.get_by_label("Your question")
        box.fill(text)
        box.press("Enter")
        last = self.page.locator("[data-outcome]:not(section)").nth(before)
        playwright.expect(last).to_have_attribute("data-outcome", outcome, timeout=60_000)
        return last


Visitor = Callable[..., Visit]


@pytest.fixture
def visit(site: Site, browser: object) -> Iterator[Visitor]:
    """Opens a page, signed in unless told otherwise: `visit(width=360, theme="dark", link=None)`."""
    contexts = []

    def opened(*, width: int = 1280, height: int = 860, theme: str = "light", link: str | None = site.link) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            reduced_motion="reduce",
            locale="en-GB",
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        page = context.new_page()
        complaints: list[str] = []
        strangers: list[str] = []
        page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda sent: None if sent.url.startswith((site.url, "data:", "blob:")) else strangers.append(sent.url),
        )
        if link:
            page.goto(link)
            page.wait_for_url(site.url + "/")
        return Visit(page, site, complaints, strangers)

    yield opened
    for context in contexts:
        context.close()

"""The web application over the real server, with the sample company: what a newcomer does after `make run`."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.web.conftest import WEB, Site

expect = pytest.importorskip("playwright.sync_api").expect

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("sample company"), pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
SETTINGS = ROOT / "examples" / "cryodyne" / "strata.toml"
LINK = re.compile(r"(http://\S+/sign-in)#(\S+)")


@dataclass(frozen=True)
class Company(Site):
    links: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The sample company, loaded and served as `make run` does it; `links` has one for each person's last name."""
    if not (WEB / "dist" / "index.html").is_file():
        pytest.skip("the web application is not built: run `npm ci && npm run build` in web/")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("sample")
    environ = {**os.environ, "STRATA_HOME": str(folder / "home"), "STRATA_PORT": str(port), "COLUMNS": "400"}
    log = folder / "log.txt"
    with log.open("wb") as writing:
        command = [sys.executable, "-m", "strata", "run", "--settings", str(SETTINGS)]
        server = subprocess.Popen(command, stdout=writing, stderr=subprocess.STDOUT, env=environ)
    try:
        for _ in range(3000):
            if server.poll() is not None or "Ctrl-C" in log.read_text():
                break
            time.sleep(0.1)
        told = log.read_text()
        assert "Ctrl-C" in told, f"the sample company is not served:\n{told}"
        links = {
            line.split("  ")[1].split()[-1]: LINK.search(line)[0] for line in told.splitlines() if LINK.search(line)
        }
        yield Company(f"http://127.0.0.1:{port}", links["Marino"], scripted=False, question="", links=links)
    finally:
        server.send_signal(signal.SIGINT)
        assert server.wait(60) == 0, "Ctrl-C did not end it cleanly"
        assert "Traceback" not in log.read_text()


def test_an_employee_asks_and_sees_the_sentence_on_its_page(visit, site):
    at = visit()
    at.go("/a/company")
    answer = at.ask("When may I fly business class?")
    expect(answer).to_contain_text("more than 6 hours")
    answer.locator("[data-citation='1']").first.click()
    panel = at.page.get_by_role("complementary", name="Source")
    expect(panel.locator("mark").first).to_be_in_viewport(timeout=20_000)
    marked = re.sub(r"\W+", " ", " ".join(panel.locator("mark").all_text_contents()))
    assert "6 hours" in marked
    assert not at.complaints
    assert not at.strangers


def test_a_pdf_opens_at_the_marked_words(visit, site):
    at = visit()
    at.go("/a/company")
    answer = at.ask("How long can an Algentis pen be kept out of the refrigerator?")
    expect(answer).to_contain_text("14 days")
    answer.locator("[data-citation]").first.click()
    panel = at.page.get_by_role("complementary", name="Source")
    expect(panel.locator("mark").first).to_be_in_viewport(timeout=20_000)
    assert not at.complaints


def test_a_written_answer_ends_in_seconds_and_every_sentence_is_carried(visit, site):
    at = visit(link=site.links["Deshpande"])
    at.go("/a/clinical-safety")
    answer = at.ask("How many follow-up attempts does a serious case need?")
    expect(answer).to_contain_text("three written follow-up attempts")
    expect(answer.locator("[data-support=unsupported]")).to_have_count(0)
    follow = at.ask("And at what intervals?")
    expect(follow).to_contain_text("14 calendar days")


def test_who_has_no_right_learns_nothing_and_who_has_it_is_told(visit, site):
    question = "By how much was NT-proBNP lower on 30 mg than on placebo at the interim analysis?"
    outside = visit(link=site.links["Lindqvist"])
    outside.go("/a/research")
    answer = outside.ask(question, re.compile("answered|abstained"))
    expect(answer).not_to_contain_text("26%")
    expect(answer).not_to_contain_text("unblinded interim analysis report", ignore_case=True)
    inside = visit(link=site.links["Kovač"])
    inside.go("/a/research")
    expect(inside.ask(question)).to_contain_text("26%")


def test_an_editor_brings_a_document_in_and_asks_it(visit, site, tmp_path):
    file = tmp_path / "Canteen notice.md"
    file.write_text(
        "# Canteen notice\n\nThe canteen in Basel serves the vegan menu Polarlicht on Thursdays until 13:45.\n"
    )
    at = visit(link=site.links["Hofmann"])
    at.go("/documents?corpus=human-resources")
    at.page.get_by_role("button", name="Add documents").click()
    dialog = at.page.get_by_role("dialog", name="Add documents")
    dialog.get_by_label("Files to upload").set_input_files([file])
    expect(dialog.locator("[data-upload=sent]")).to_have_count(1, timeout=20_000)
    at.page.keyboard.press("Escape")
    row = at.page.get_by_role("row").filter(has_text="Canteen notice")
    expect(row.locator("[data-state=indexed]")).to_be_visible(timeout=60_000)
    at.go("/a/human-resources")
    expect(at.ask("Until when is the vegan menu Polarlicht served?")).to_contain_text("13:45")


def test_finance_sees_what_it_cost_and_every_budget(visit, site):
    at = visit()
    at.go("/usage")
    expect(at.page.get_by_role("meter")).to_have_count(7)
    expect(at.page.get_by_role("rowheader", name="Clinical Safety")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("path", ["/", "/a/company", "/documents", "/usage"])
def test_the_real_pages_have_no_violation_either(visit, site, path, width):
    from tests.web.test_accessible import AXE, SETTLED, found

    at = visit(width=width)
    at.go(path)
    at.page.evaluate(AXE.read_text())
    for theme in ("light", "dark"):
        at.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        at.page.evaluate(SETTLED)
        assert not found(at.page)

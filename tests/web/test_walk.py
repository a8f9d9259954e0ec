"""What a person does with the web application, from the sign-in link to the marked words in a source."""

from __future__ import annotations

import re

import pytest

expect = pytest.importorskip("playwright.sync_api").expect

pytestmark = pytest.mark.browser


def letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).lower()


def test_who_is_signed_out_is_told_how_to_get_in(visit):
    at = visit(link=None)
    at.go("/documents")
    expect(at.page).to_have_url(at.site.url + "/sign-in")
    expect(at.page.get_by_role("heading", name="Open your sign-in link")).to_be_visible()


def test_a_withdrawn_link_says_what_to_do(visit):
    at = visit(link=None)
    at.go("/sign-in#nobody")
    expect(at.page.get_by_role("alert")).to_be_visible()
    assert "#" not in at.page.url, "the token stays in the address"


def test_a_link_opened_where_the_sign_in_page_is_shown_already_works(visit):
    at = visit(link=None)
    at.go("/sign-in")
    expect(at.page.get_by_role("heading", name="Open your sign-in link")).to_be_visible()
    at.page.evaluate("link => { location.href = link }", at.site.link)
    expect(at.page).to_have_url(at.site.url + "/")


def test_the_sign_in_link_leads_home_and_leaves_no_token_behind(visit):
    at = visit()
    expect(at.page.get_by_role("heading", level=1)).to_be_visible()
    at.page.go_back()
    assert "#" not in at.page.url


def test_an_answer_leads_to_the_marked_words_in_the_pdf(visit, scripted):
    at = visit()
    at.go("/a/formulation")
    answer = at.ask(scripted.question)
    chip = answer.locator("[data-citation='1']").first
    chip.focus()
    card = at.page.locator("[data-radix-popper-content-wrapper]")
    expect(card).to_contain_text("Frostavir must be stored between 2 °C and 8 °C")
    expect(card).to_contain_text("page 2")
    chip.press("Enter")
    panel = at.page.get_by_role("complementary", name="Source")
    marks = panel.locator(".pdf-text mark")
    expect(marks.first).to_be_in_viewport()
    marked = "".join(marks.all_text_contents())
    assert letters(marked) == letters(
        "Frostavir must be stored between 2 °C and 8 °C in its original carton, protected from light."
    )
    expect(panel).to_contain_text("Page 2 of 3")
    expect(panel.get_by_role("heading", level=2)).to_be_focused()
    at.page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    expect(chip).to_be_focused()
    assert not at.complaints
    assert not at.strangers


def test_other_formats_open_as_text_with_exactly_the_quote_marked(visit, scripted):
    at = visit()
    at.go("/a/formulation")
    answer = at.ask("Which dose is right in renal impairment?")
    answer.get_by_role("table").locator("[data-citation='3']").click()
    panel = at.page.get_by_role("complementary", name="Source")
    expect(panel.locator("mark").first).to_be_in_viewport()
    assert panel.locator("mark").all_text_contents() == ["Moderate", "30 to 59", "150 mg", "6 weeks"]
    panel.get_by_role("button", name="Previous source").click()
    expect(panel.locator("mark")).to_have_text(re.compile("^In moderate renal impairment .* not recommended.$"))


def test_the_source_is_a_sheet_on_a_small_screen(visit, scripted):
    at = visit(width=360, height=740)
    at.go("/a/formulation")
    answer = at.ask(scripted.question)
    answer.locator("[data-citation='2']").first.click()
    sheet = at.page.get_by_role("dialog", name="Source")
    expect(sheet.locator("mark").first).to_be_in_viewport()
    sheet.get_by_role("button", name="Close the source").click()
    expect(sheet).to_have_count(0)
    answer.locator("[data-citation='1']").first.click()
    expect(sheet.locator("mark").first).to_be_in_viewport()
    at.page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)


def test_what_nothing_supports_is_marked_and_explained(visit, scripted):
    at = visit()
    at.go("/a/formulation")
    answer = at.ask(scripted.question)
    doubt = answer.locator("[data-support='unsupported']")
    assert "".join(doubt.all_text_contents()) == "Most couriers keep a spare cool box for such cases."
    answer.get_by_role("button", name="no source").click()
    expect(at.page.get_by_role("dialog", name="Why this is marked")).to_contain_text("Nothing in the documents")


def test_not_knowing_offers_what_to_do_next(visit, scripted):
    at = visit()
    at.go("/a/formulation")
    answer = at.ask("Who won the world cup?", outcome="abstained")
    expect(answer.get_by_role("heading", name="I don’t know")).to_be_visible()
    answer.get_by_role("button", name="Ask it differently").click()
    box = at.page.get_by_label("Your question")
    expect(box).to_be_focused()
    expect(box).to_have_value("Who won the world cup?")
    answer.get_by_role("link", name="Ask Safety desk").click()
    expect(at.page).to_have_url(re.compile("/a/safety"))
    expect(at.page.get_by_label("Your question")).to_have_value("Who won the world cup?")


def test_escape_stops_an_answer_and_what_was_said_stays(visit, scripted):
    at = visit()
    at.go("/a/formulation")
    at.page.get_by_label("Your question").fill("Tell me slowly")
    at.page.keyboard.press("Enter")
    expect(at.page.get_by_text("This is sentence 1.").first).to_be_visible()
    at.page.keyboard.press("Escape")
    expect(at.page.get_by_text("You stopped this answer.")).to_be_visible()
    expect(at.page.get_by_text("This is sentence 20.").first).to_have_count(0)
    at.page.reload()
    expect(at.page.get_by_text("This is sentence 1.").first).to_be_visible()
    expect(at.page.get_by_text("You stopped this answer.")).to_be_visible()


def test_an_answer_goes_on_while_the_reader_looks_elsewhere(visit, scripted):
    at = visit()
    at.go("/a/formulation")
    at.page.get_by_label("Your question").fill("Tell me slowly")
    at.page.keyboard.press("Enter")
    expect(at.page.get_by_text("This is sentence 1.").first).to_be_visible()
    at.page.get_by_role("link", name="Documents", exact=True).click()
    expect(at.page.get_by_role("heading", name="Documents")).to_be_visible()
    at.page.go_back()
    expect(at.page.get_by_text("This is sentence 20.").first).to_be_visible(timeout=60_000)


def test_a_budget_that_is_used_up_is_named_with_its_reset(visit, scripted):
    at = visit()
    at.go("/a/formulation")
    answer = at.ask("What is our budget?", outcome="failed")
    expect(answer.get_by_role("alert")).to_contain_text("Budget “Research” resets on")


def test_an_answer_that_breaks_off_keeps_its_sentences(visit, scripted):
    at = visit()
    at.go("/a/formulation")
    answer = at.ask("Please fail", outcome="failed")
    expect(answer).to_contain_text("Frostavir must be stored between")
    expect(answer.get_by_role("alert")).to_contain_text("The model stopped answering.")


def test_feedback_is_kept_and_can_be_taken_back(visit, scripted):
    at = visit()
    at.go("/a/formulation")
    answer = at.ask(scripted.question)
    answer.get_by_role("button", name="Give feedback").click()
    form = at.page.get_by_role("dialog", name="Feedback on this answer")
    form.get_by_role("button", name="Bad answer").click()
    form.get_by_role("button", name="Outdated").click()
    form.get_by_label("Comment").fill("There is a newer version.")
    form.get_by_role("button", name="Send").click()
    expect(answer.get_by_role("button", name="Your feedback: 👎")).to_be_visible()
    at.page.reload()
    answer.get_by_role("button", name="Your feedback: 👎").click()
    expect(form.get_by_label("Comment")).to_have_value("There is a newer version.")
    form.get_by_role("button", name="Take back").click()
    expect(answer.get_by_role("button", name="Give feedback")).to_be_visible()


def test_a_copied_answer_carries_its_sources(visit, scripted):
    at = visit()
    at.go("/a/formulation")
    answer = at.ask("How much parental leave is there?")
    answer.get_by_role("button", name="Copy with sources").click()
    expect(answer.get_by_role("button", name="Copied")).to_be_visible()
    copied = at.page.evaluate("navigator.clipboard.readText()")
    assert "adoption. [1]" in copied
    assert "[2] Parental leave policy: “The weeks may be taken in up to three blocks.”" in copied


def test_answers_are_read_aloud_by_sentences(visit, scripted):
    at = visit()
    at.go("/a/formulation")
    at.ask(scripted.question)
    expect(at.page.locator("#announcements")).to_contain_text("The answer is complete, with 4 sources.")


def test_chats_are_found_renamed_and_deleted(visit, scripted):
    at = visit()
    at.go("/a/people")
    at.ask("How much parental leave is there?")
    chats = at.page.get_by_role("navigation", name="Your chats")
    row = chats.get_by_role("listitem").filter(has=at.page.locator("[aria-current=page]"))
    row.get_by_role("button", name=re.compile("More for")).click()
    at.page.get_by_role("menuitem", name="Rename").click()
    at.page.get_by_label("Title").fill("Weeks at home")
    at.page.keyboard.press("Enter")
    expect(chats.get_by_role("link", name="Weeks at home")).to_be_visible()
    chats.get_by_label("Find a chat").fill("WEEKS")
    expect(chats.get_by_role("listitem")).to_have_count(1)
    row.get_by_role("button", name=re.compile("More for")).click()
    at.page.get_by_role("menuitem", name="Delete").click()
    at.page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(chats.get_by_role("link", name="Weeks at home")).to_have_count(0)
    expect(at.page).to_have_url(at.site.url + "/")


def test_files_are_sent_followed_and_refused_one_by_one(visit, scripted, tmp_path):
    good, scan, bad = tmp_path / "Cleaning log.txt", tmp_path / "Old scan.txt", tmp_path / "tool.exe"
    for file in (good, scan, bad):
        file.write_text("The vessel was rinsed twice.")
    at = visit()
    at.go("/documents")
    at.page.get_by_role("button", name="Add documents").click()
    dialog = at.page.get_by_role("dialog", name="Add documents")
    dialog.get_by_label("Classification").select_option("confidential")
    dialog.get_by_label("Files to upload").set_input_files([good, scan, bad])
    expect(dialog.locator("[data-upload=sent]")).to_have_count(2)
    expect(dialog.locator("[data-upload=failed]")).to_contain_text("tool.exe is of a kind that cannot be read.")
    at.page.keyboard.press("Escape")
    row = at.page.get_by_role("row").filter(has_text="Cleaning log")
    expect(row.locator("[data-state=indexed]")).to_be_visible(timeout=20_000)
    expect(row).to_contain_text("Confidential")
    aside = at.page.get_by_role("row").filter(has_text="Old scan")
    expect(aside.locator("[data-state=quarantined]")).to_be_visible(timeout=20_000)
    expect(aside).to_contain_text("No text was found on its pages.")
    aside.get_by_role("button", name="Try “Old scan” again").click()
    expect(aside.locator("[data-state=received]")).to_be_visible()
    row.get_by_role("button", name="Delete “Cleaning log”").click()
    at.page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)


def test_a_document_opens_from_the_list(visit, scripted):
    at = visit()
    at.go("/documents?corpus=research")
    at.page.get_by_role("button", name="Frostavir 150 mg: product information", exact=True).click()
    expect(at.page.get_by_role("dialog").get_by_role("table").first).to_contain_text("eGFR (ml/min)")


def test_who_may_not_upload_or_see_cost_is_not_offered_it(visit, scripted):
    at = visit(link=scripted.link.replace("ingrid", "nina"))
    rail = at.page.get_by_role("navigation", name="Pages")
    expect(rail.get_by_role("link", name="Documents")).to_be_visible()
    expect(rail.get_by_role("link", name="Usage")).to_have_count(0)
    at.go("/documents")
    expect(at.page.get_by_role("heading", name="Documents")).to_be_visible()
    expect(at.page.get_by_role("button", name="Add documents")).to_have_count(0)
    at.go("/usage")
    expect(at.page.get_by_role("alert")).to_contain_text("You may not see usage figures.")


def test_usage_can_be_read_without_seeing_the_chart(visit, scripted):
    at = visit()
    at.go("/usage")
    at.page.get_by_text("Show as a table").click()
    days = at.page.get_by_role("region", name="Use by day").get_by_role("row")
    expect(days).to_have_count(31)
    meters = at.page.get_by_role("meter")
    assert [meter.get_attribute("aria-valuetext") for meter in meters.all()] == ["34% spent", "87% spent", "100% spent"]
    at.page.get_by_role("radio", name="Model").click()
    expect(at.page.get_by_role("rowheader", name="strata-small")).to_be_visible()


def test_everything_can_be_reached_by_keys(visit, scripted):
    at = visit()
    at.page.keyboard.press("Control+k")
    at.page.keyboard.type("labels")
    expect(at.page.get_by_role("option", name="Label and dossier guide")).to_be_visible()
    at.page.keyboard.press("Enter")
    expect(at.page).to_have_url(re.compile("/a/labels"))
    expect(at.page.get_by_label("Your question")).to_be_focused()
    at.page.get_by_role("heading", level=1).click()
    at.page.keyboard.press("?")
    help_ = at.page.get_by_role("dialog", name="Keyboard shortcuts")
    help_.get_by_role("switch").click()
    at.page.keyboard.press("Escape")
    at.page.keyboard.press("?")
    expect(help_).to_have_count(0)


def test_the_first_tab_skips_to_the_content(visit):
    at = visit()
    at.go("/documents")
    at.page.keyboard.press("Tab")
    skip = at.page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    skip.press("Enter")
    expect(at.page.locator("main")).to_be_focused()


def test_the_chosen_theme_is_kept(visit):
    at = visit()
    at.page.get_by_role("button", name=re.compile("account and settings")).click()
    at.page.get_by_role("menuitemradio", name="Dark").click()
    at.page.reload()
    expect(at.page.locator("html")).to_have_class("dark")


def test_signing_out_closes_the_door(visit):
    at = visit()
    at.page.get_by_role("button", name=re.compile("account and settings")).click()
    at.page.get_by_role("menuitem", name="Sign out").click()
    expect(at.page).to_have_url(at.site.url + "/sign-in")
    at.go("/")
    expect(at.page).to_have_url(at.site.url + "/sign-in")


def test_nothing_is_fetched_from_elsewhere_and_the_policy_is_kept(visit):
    at = visit()
    for path in ("/", "/documents", "/usage", "/nowhere"):
        at.go(path)
    assert not at.strangers
    assert not at.complaints


@pytest.mark.parametrize("path", ["/", "/documents", "/usage", "/nowhere"])
def test_no_page_scrolls_sideways_at_360_pixels(visit, path):
    at = visit(width=360, height=740)
    at.go(path)
    expect(at.page.get_by_role("heading", level=1)).to_be_visible()
    widths = at.page.evaluate("[...document.querySelectorAll('html, main')].map((part) => part.scrollWidth)")
    assert max(widths) <= 360

"""The sample company holds together: its people, libraries, access rules, documents and questions agree with one another."""

from __future__ import annotations

import email
import email.policy
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import openpyxl
import pypdfium2
import pytest
from docx import Document
from pptx import Presentation

COMPANY = Path(__file__).parents[2] / "examples" / "cryodyne"
DOCUMENTS = COMPANY / "documents"
SETTINGS = tomllib.loads((COMPANY / "strata.toml").read_text("utf-8"))
QUESTIONS = [json.loads(line) for line in (COMPANY / "questions.jsonl").read_text("utf-8").splitlines()]
PEOPLE = {person["id"]: person for person in SETTINGS["people"]}
ASSISTANTS = {assistant["id"]: assistant for assistant in SETTINGS["assistants"]}
CORPORA = {corpus["id"]: corpus for corpus in SETTINGS["corpora"]}
DEPARTMENTS = {department["id"] for department in SETTINGS["departments"]}
ROLES = {"member", "editor", "finance", "auditor", "platform"}
CLASSES = {"public", "internal", "confidential", "restricted"}
AT_LEAST = {"txt": 3, "md": 3, "html": 3, "pdf": 8, "docx": 7, "pptx": 3, "xlsx": 3, "csv": 3, "eml": 3}


def documents() -> list[str]:
    """Every document's path relative to documents/."""
    return sorted(
        path.relative_to(DOCUMENTS).as_posix()
        for path in DOCUMENTS.rglob("*")
        if path.is_file() and path.name != "access.toml"
    )


@dataclass(frozen=True)
class Access:
    readers: frozenset[str]
    classification: str


def access(document: str) -> Access:
    """What access.toml of the document's corpus says; later rules win."""
    corpus, _, inside = document.partition("/")
    policy = tomllib.loads((DOCUMENTS / corpus / "access.toml").read_text("utf-8"))
    rule = policy["default"]
    for later in policy.get("rule", []):
        if fnmatch(inside, later["match"]):
            rule = rule | later
    return Access(frozenset(rule["readers"]), rule["classification"])


def groups(person: str) -> set[str]:
    return {"everyone", PEOPLE[person]["department"], *PEOPLE[person]["groups"]}


def may_read(person: str, document: str) -> bool:
    return bool(groups(person) & access(document).readers)


@cache
def text(document: str) -> str:
    """The document's text with runs of whitespace as one space."""
    path = DOCUMENTS / document
    extract = {".docx": from_word, ".xlsx": from_excel, ".pptx": from_powerpoint, ".pdf": from_pdf, ".eml": from_mail}
    content = " ".join(extract[path.suffix](path)) if path.suffix in extract else path.read_text("utf-8")
    return " ".join(content.split())


def from_word(path: Path) -> Iterator[str]:
    document = Document(str(path))
    yield from (paragraph.text for paragraph in document.paragraphs)
    yield from (cell.text for table in document.tables for row in table.rows for cell in row.cells)


def from_excel(path: Path) -> Iterator[str]:
    for sheet in openpyxl.load_workbook(path, read_only=True):
        yield from (str(value) for row in sheet.iter_rows(values_only=True) for value in row if value is not None)


def from_powerpoint(path: Path) -> Iterator[str]:
    for slide in Presentation(str(path)).slides:
        for shape in slide.shapes:
            if shape.has_text_frame:
                yield shape.text_frame.text
            if shape.has_table:
                yield from (cell.text for row in shape.table.rows for cell in row.cells)


def from_pdf(path: Path) -> Iterator[str]:
    pdf = pypdfium2.PdfDocument(path)
    yield from (page.get_textpage().get_text_range() for page in pdf)


def from_mail(path: Path) -> Iterator[str]:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    body = message.get_body(("plain",))
    assert body is not None, f"{path.name} has no plain text"
    yield str(message["subject"])
    yield body.get_content()


def test_every_format_is_there_often_enough() -> None:
    counts = Counter(document.rpartition(".")[2] for document in documents())
    assert set(counts) == set(AT_LEAST)
    assert all(counts[suffix] >= least for suffix, least in AT_LEAST.items()), counts
    assert len(documents()) >= 42
    assert sum((DOCUMENTS / document).stat().st_size for document in documents()) < 6_000_000


def test_every_folder_of_documents_is_a_corpus_with_access_rules() -> None:
    assert {path.name for path in DOCUMENTS.iterdir()} == set(CORPORA)
    for corpus in CORPORA.values():
        assert corpus["path"] == f"documents/{corpus['id']}"
        assert corpus["department"] in DEPARTMENTS
        assert (COMPANY / corpus["path"] / "access.toml").is_file()


def test_people_departments_groups_assistants_and_budgets_name_only_what_exists() -> None:
    known = {"everyone", *DEPARTMENTS, *(group for person in PEOPLE.values() for group in person["groups"])}
    assert 12 <= len(PEOPLE) == len(SETTINGS["people"]) <= 14
    for person in PEOPLE.values():
        assert person["department"] in DEPARTMENTS
        assert set(person["roles"]) <= ROLES
        assert person["email"] == f"{person['id']}@cryodyne.example"
    for assistant in ASSISTANTS.values():
        assert assistant["department"] in DEPARTMENTS
        assert set(assistant["corpora"]) <= set(CORPORA)
        assert set(assistant["users"]) <= known
        assert {assistant["mode"], assistant["fallback"]} <= {"generative", "extractive"}
        assert 3 <= len(assistant["suggestions"]) <= 4
    for document in documents():
        assert access(document).readers <= known
        assert access(document).classification in CLASSES
    assert {budget["subject"] for budget in SETTINGS["budgets"]} == {f"department:{name}" for name in DEPARTMENTS}


def test_every_access_rule_matches_a_document() -> None:
    for corpus in CORPORA:
        inside = [document.partition("/")[2] for document in documents() if document.startswith(f"{corpus}/")]
        policy = tomllib.loads((DOCUMENTS / corpus / "access.toml").read_text("utf-8"))
        for rule in policy["rule"]:
            assert any(fnmatch(document, rule["match"]) for document in inside), f"{corpus}: {rule['match']}"


def test_every_document_has_someone_who_may_read_it_and_restricted_ones_only_a_few() -> None:
    for document in documents():
        readers = [person for person in PEOPLE if may_read(person, document)]
        assert readers, f"nobody may read {document}"
        if access(document).classification == "restricted":
            assert len(readers) <= 2, f"{document} is restricted, yet {readers} may read it"


def test_questions_are_many_and_of_every_kind() -> None:
    counts = Counter(question["kind"] for question in QUESTIONS)
    assert set(counts) == {"answerable", "follow_up", "unanswerable", "forbidden"}
    assert len({question["id"] for question in QUESTIONS}) == len(QUESTIONS) >= 40
    assert counts["answerable"] >= 26
    assert counts["follow_up"] >= 4
    assert counts["unanswerable"] >= 6
    assert counts["forbidden"] >= 6


def test_every_format_and_nearly_every_document_is_asked_about() -> None:
    asked = {document for question in QUESTIONS for document in question["documents"]}
    assert {document.rpartition(".")[2] for document in asked} == set(AT_LEAST)
    assert len(asked) >= len(documents()) * 0.8


@pytest.mark.parametrize("question", QUESTIONS, ids=[question["id"] for question in QUESTIONS])
def test_question_is_asked_by_a_user_of_the_assistant_and_its_answer_is_in_the_documents(
    question: dict[str, Any],
) -> None:
    assistant = ASSISTANTS[question["assistant"]]
    assert groups(question["person"]) & set(assistant["users"])
    assert ("after" in question) == (question["kind"] == "follow_up")
    assert bool(question["documents"]) == bool(question["answer"]) == (question["kind"] != "unanswerable")
    for document in question["documents"]:
        assert document in documents()
        assert document.partition("/")[0] in assistant["corpora"]
        assert may_read(question["person"], document) == (question["kind"] != "forbidden")
        for phrase in question["answer"]:
            assert phrase in text(document), f"{phrase!r} is not in {document}"


@pytest.mark.parametrize(
    "question",
    [question for question in QUESTIONS if question["kind"] == "forbidden"],
    ids=lambda question: question["id"],
)
def test_a_forbidden_answer_stands_in_no_document_that_the_person_may_read(question: dict[str, Any]) -> None:
    """A short number such as 26% may occur elsewhere by chance, therefore the whole answer is looked for."""
    readable = [document for document in documents() if may_read(question["person"], document)]
    assert readable
    assert not [document for document in readable if all(phrase in text(document) for phrase in question["answer"])]


def test_mails_are_well_formed_and_their_alternatives_say_the_same() -> None:
    multipart = 0
    for document in documents():
        if document.endswith(".eml"):
            message = email.message_from_bytes((DOCUMENTS / document).read_bytes(), policy=email.policy.default)
            assert not message.defects
            assert message["message-id"]
            assert message["date"].datetime.tzinfo is not None
            if message.is_multipart():
                multipart += 1
                plain, html = message.get_body(("plain",)), message.get_body(("html",))
                assert plain is not None
                assert html is not None
                shown = " ".join(re.sub(r"<[^>]+>", " ", html.get_content()).split())
                assert set(re.findall(r"\d+", shown)) <= set(re.findall(r"\d+", plain.get_content()))
    assert multipart >= 2


def test_papers_have_running_headers_and_several_pages() -> None:
    for document in documents():
        if document.endswith(".pdf"):
            pdf = pypdfium2.PdfDocument(DOCUMENTS / document)
            pages = len(pdf)
            assert 2 <= pages <= 8, document
            for number, page in enumerate(pdf, start=1):
                assert f"Page {number} of {pages}" in page.get_textpage().get_text_range()


def test_writing_the_documents_again_changes_nothing(tmp_path: Path) -> None:
    """Compares with what the program writes into another folder, so that the checkout is left alone."""
    code = "import make_documents as m, pathlib, sys; m.main(pathlib.Path(sys.argv[1]))"
    environment = os.environ | {"PYTHONPATH": str(COMPANY), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=environment, capture_output=True)
    made = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(made) >= 25
    for path in made:
        assert parts(path) == parts(DOCUMENTS / path.relative_to(tmp_path)), path.name


def parts(path: Path) -> dict[str, bytes]:
    """The file's bytes, or its members': how well a zip is packed depends on the machine's zlib."""
    if not zipfile.is_zipfile(path):
        return {path.name: path.read_bytes()}
    with zipfile.ZipFile(path) as packed:
        return {name: packed.read(name) for name in packed.namelist()}

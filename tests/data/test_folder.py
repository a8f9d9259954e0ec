"""A folder's files with the rights that its rules give them."""

from __future__ import annotations

import pytest

from strata.data.connector import Found, Refusal
from strata.data.connectors.folder import Folder
from strata.errors import Invalid, NotFound

RULES = """
[default]
readers = ["research"]
classification = "internal"

[[rule]]
match = "dmc/*"
readers = ["dmc"]
classification = "restricted"

[[rule]]
match = "dmc/open/*"
classification = "internal"
"""


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "research"
    for name in ("plan.md", "dmc/closed/minutes.txt", "dmc/open/minutes.txt", ".hidden/x.md", ".secret"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"This is {name}.")
    (root / "access.toml").write_text(RULES)
    return root


def walk(*paths, **more) -> dict[str, Found | Refusal]:
    found = Folder("lab", paths, **more).walk()
    return {item.new.source if isinstance(item, Found) else item.source: item for item in found}


def test_files_have_their_path_as_source_and_hidden_ones_are_passed_over(folder):
    found = walk(folder)
    assert list(found) == ["dmc/closed/minutes.txt", "dmc/open/minutes.txt", "plan.md"]
    assert found["plan.md"].fetch() == b"This is plan.md."


def test_later_rules_win_field_by_field(folder):
    found = walk(folder)
    rights = {source: (sorted(item.new.readers), item.new.classification) for source, item in found.items()}
    assert rights == {
        "plan.md": (["research"], "internal"),
        "dmc/closed/minutes.txt": (["dmc"], "restricted"),
        "dmc/open/minutes.txt": (["dmc"], "internal"),
    }


def test_without_rules_the_corpus_decides(folder):
    (folder / "access.toml").unlink()
    assert walk(folder)["plan.md"].new.readers is None


def test_one_file_has_the_rights_that_it_has_in_its_folder(folder):
    assert walk(folder / "plan.md")["plan.md"].new.readers == {"research"}


@pytest.mark.parametrize("rules", ["[default", '[default]\nreader = ["x"]', '[default]\nclassification = "secret"'])
def test_rules_with_a_mistake_stop_everything(folder, rules):
    (folder / "access.toml").write_text(rules)
    with pytest.raises(Invalid, match=r"access\.toml"):
        walk(folder)


def test_a_link_that_leads_out_is_refused(folder, tmp_path):
    (tmp_path / "outside.txt").write_text("secret")
    (folder / "inside.txt").symlink_to(tmp_path / "outside.txt")
    (folder / "etc").symlink_to(tmp_path)
    found = walk(folder)
    assert isinstance(found["inside.txt"], Refusal)
    assert isinstance(found["etc"], Refusal)


def test_a_file_over_the_limit_is_refused_without_being_read(folder):
    assert isinstance(walk(folder, most=5)["plan.md"], Refusal)


def test_a_path_that_is_not_there_is_named(tmp_path):
    with pytest.raises(NotFound, match="nowhere"):
        walk(tmp_path / "nowhere")

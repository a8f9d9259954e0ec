"""Files and folders on this machine, with their readers from `access.toml`.

    [default]
    readers = ["research"]
    classification = "internal"

    [[rule]]
    match = "dmc/*"            # a glob on the path relative to the folder; `*` also crosses slashes
    readers = ["dmc"]
    classification = "restricted"

Rules are read from top to bottom, and later ones win, field by field. An `access.toml` in a folder that is given
holds for all below it; without one, the corpus's own readers and classification apply.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from strata.data.connector import Found, Refusal
from strata.errors import Invalid, NotFound
from strata.types import Classification, NewDocument

RULES = "access.toml"


class _Rights(msgspec.Struct, forbid_unknown_fields=True):
    readers: frozenset[str] | None = None
    classification: Classification | None = None


class _Rule(_Rights):
    match: str = "*"


class _Rules(msgspec.Struct, forbid_unknown_fields=True):
    default: _Rights = msgspec.field(default_factory=_Rights)
    rule: list[_Rule] = msgspec.field(default_factory=list)

    def rights(self, source: str) -> _Rights:
        """Readers and classification of a file, by the last rules that speak of it."""
        readers, classification = self.default.readers, self.default.classification
        for rule in self.rule:
            if fnmatchcase(source, rule.match):
                readers = readers if rule.readers is None else rule.readers
                classification = rule.classification or classification
        return _Rights(readers, classification)


@dataclass(frozen=True, slots=True)
class Folder:
    """Paths whose files belong to one corpus. A file's source is its path relative to the folder that was given.

    Hidden files and folders and `access.toml` itself are passed over; a link that leads out of the folder is refused.
    """

    corpus: str
    paths: Sequence[Path]
    most: int = 64 * 1024 * 1024

    def walk(self) -> Iterator[Found | Refusal]:
        """Every file, in the order of names. Raises `NotFound` for a path that is not there, and `Invalid` for an
        `access.toml` with a mistake: rights are not guessed.
        """
        for path in self.paths:
            if path.is_dir():
                rules = _rules(path / RULES)
                yield from self._below(path.resolve(), path.resolve(), rules)
            elif path.is_file():
                yield self._file(path.resolve(), path.name, _rules(path.parent / RULES))
            else:
                raise NotFound(f"there is no file or folder {str(path)!r}")

    def _below(self, root: Path, folder: Path, rules: _Rules) -> Iterator[Found | Refusal]:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
        for entry in entries:
            path = Path(entry.path)
            if entry.name.startswith(".") or entry.name == RULES or entry.name.startswith("~$"):
                continue
            source = path.relative_to(root).as_posix()
            if entry.is_symlink() and not path.resolve().is_relative_to(root):
                yield Refusal(source, "it is a link that leads out of the folder")
            elif entry.is_symlink() and path.is_dir():
                yield Refusal(source, "it is a link to a folder, whose files are found under their own names")
            elif entry.is_dir(follow_symlinks=False):
                yield from self._below(root, path, rules)
            elif entry.is_file():
                yield self._file(path, source, rules)

    def _file(self, path: Path, source: str, rules: _Rules) -> Found | Refusal:
        size = path.stat().st_size
        if size > self.most:
            return Refusal(source, f"it has {size:,} bytes; the most is {self.most:,}")
        rights = rules.rights(source)
        new = NewDocument(self.corpus, source, readers=rights.readers, classification=rights.classification)
        return Found(new, size, partial(path.read_bytes))


def make(corpus: str, paths: Sequence[Path], *, most: int = 64 * 1024 * 1024) -> Folder:
    """Files and folders as documents of a corpus; a file of more than `most` bytes is refused."""
    return Folder(corpus, tuple(paths), most)


def _rules(path: Path) -> _Rules:
    if not path.is_file():
        return _Rules()
    try:
        raw: Mapping[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return msgspec.convert(raw, _Rules)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise Invalid(f"{path}: {error}") from error

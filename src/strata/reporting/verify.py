"""The verifier of the audit record: needs only the entries, the witness file and the public key, and trusts none of them.

It recomputes the chain and the Merkle root, and checks every checkpoint's signature, size and root against the entries.
What a checkpoint covers cannot be edited, deleted, inserted, swapped, cut off, recomputed or replaced unseen. What came
after the last checkpoint is only chained: its end could be cut off, or entries put there, by whoever can write the log.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from strata.reporting.chain import GENESIS, canonical, malformed, seal
from strata.reporting.checkpoint import Checkpoint, describe, is_signed, key_id, read
from strata.reporting.merkle import Frontier
from strata.reporting.witness import split
from strata.types import AuditVerdict, Json

MOST_PROBLEMS = 100


def verify(tenant: str, log: Iterable[bytes], witness: Iterable[bytes], public_key: bytes) -> AuditVerdict:
    """Check an exported log (one entry as JSON a line) against the lines of a witness file.

    Never raises for what the lines hold. A log with entries and no checkpoint at all is a problem too: nothing shows
    that it is the log that was written.
    """
    verifier = Verifier(tenant, witness, public_key)
    for line in log:
        verifier.add_line(line)
    return verifier.verdict()


def verify_files(tenant: str, log: Path, witness: Path, public_key: bytes) -> AuditVerdict:
    """Check an exported log against a witness file, both as files. Raises OSError when one cannot be read."""
    with log.open("rb") as lines:
        return verify(tenant, (line for line in lines if line.strip()), split(witness.read_bytes()), public_key)


@dataclass(slots=True)
class Verifier:
    """Reads the witness once, then takes the entries one by one, in order."""

    tenant: str
    witness: Iterable[bytes]
    public_key: bytes
    entries: int = 0
    problems: list[str] = field(default_factory=list)
    hash: str = GENESIS
    _due: dict[int, list[Checkpoint]] = field(default_factory=dict)
    _checkpoints: int = 0
    _covered: int = 0
    _sequence: int = 0
    _tree: Frontier = field(default_factory=Frontier)
    _unsaid: int = 0

    def __post_init__(self) -> None:
        for number, line in enumerate(self.witness, start=1):
            self._read(number, line)

    def add_line(self, line: bytes) -> None:
        """An entry as it was exported. How its JSON is spelled does not matter, but no field may be said twice."""
        try:
            entry = json.loads(line, object_pairs_hook=_unambiguous)
        except (ValueError, RecursionError):
            entry = None
        self.add(entry)

    def add(self, entry: Any) -> None:
        """An entry as it is stored."""
        self.entries += 1
        wrong = malformed(entry)
        if wrong:
            self._say(f"entry {self.entries} cannot be read: {wrong}")
            self._sequence += 1
            self._grow(b"")
            return
        self._follow(entry)
        self._grow(_written(entry))

    def verdict(self) -> AuditVerdict:
        """What was found, once all entries are in."""
        for size, checkpoints in sorted(self._due.items()):
            for checkpoint in checkpoints:
                self._say(
                    f"the {describe(checkpoint)} covers more than the {self.entries} entries that there are: "
                    f"{size - self.entries} are gone"
                )
        if self.entries and not self._checkpoints:
            self._say(f"no checkpoint covers any of the {self.entries} entries")
        if self._unsaid:
            self.problems.append(f"and {self._unsaid} more problems")
        return AuditVerdict(self.entries, self._checkpoints, tuple(self.problems), self._tree.root.hex())

    @property
    def covered(self) -> int:
        """How many entries the largest good checkpoint covers."""
        return self._covered

    def _read(self, number: int, line: bytes) -> None:
        try:
            checkpoint = read(line)
        except ValueError as error:
            self._say(f"line {number} of the witness is not a checkpoint: {error}")
            return
        if checkpoint.tenant != self.tenant:
            return
        if checkpoint.key != key_id(self.public_key):
            self._say(f"the {describe(checkpoint)} names the unknown key {checkpoint.key}")
        elif not is_signed(checkpoint, self.public_key):
            self._say(f"the {describe(checkpoint)} is not signed by the key that it names")
        else:
            self._checkpoints += 1
            self._due.setdefault(checkpoint.size, []).append(checkpoint)

    def _follow(self, entry: Json) -> None:
        expected, sequence = self._sequence + 1, entry["sequence"]
        if sequence > expected:
            gone = f"entry {expected} is" if sequence == expected + 1 else f"entries {expected} to {sequence - 1} are"
            self._say(f"{gone} missing")
        elif sequence < expected:
            self._say(f"entry {sequence} stands where entry {expected} belongs")
        self._sequence = max(expected, sequence)
        if entry["tenant"] != self.tenant:
            self._say(f"entry {sequence} is of another tenant")
        if entry["previous"] != self.hash:
            self._say(f"entry {sequence} does not follow the entry before it: its previous hash is another")
        if not _is_sealed(entry):
            self._say(f"entry {sequence} was changed: its hash does not belong to what it says")
        self.hash = entry["hash"]

    def _grow(self, data: bytes) -> None:
        self._tree = self._tree.add(data)
        for checkpoint in self._due.pop(self._tree.size, ()):
            if checkpoint.root == self._tree.root.hex():
                self._covered = self._tree.size
                continue
            since = f"{self._covered + 1} to {self._tree.size}"
            self._say(f"the {describe(checkpoint)} has another root: entries {since} are not those that were signed")

    def _say(self, problem: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)
        else:
            self._unsaid += 1


def _unambiguous(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a field is said twice")
    return found


def _is_sealed(entry: Json) -> bool:
    try:
        return bool(entry["hash"] == seal(entry))
    except (ValueError, RecursionError):
        return False


def _written(entry: Json) -> bytes:
    try:
        return canonical(entry)
    except (ValueError, RecursionError):
        return b""

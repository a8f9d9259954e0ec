"""Records survive a power cut: what was acknowledged is there, what was not is there wholly or not at all.

The adapter's own pragmas, schema and transaction run on a disk that remembers what is synced. Power is cut at hundreds of
moments; each disk that may be left is opened again with the adapter's own code. The same with `durable=False` must lose
something, or the test would prove nothing.
"""

import random
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from tests.power.disk import Disk, laid_out

from strata.adapters.records._changes import prepared
from strata.adapters.records.sqlite import SQL, Waiting, opened, pragmas, transact
from strata.ports.records import Add, Delete, LimitReached, Put
from strata.testing.bus import received

FILE = "records.db"
COMMITS = 150
LOG = "acme/log"


def commits():
    """Commit number n logs itself, moves a marker, counts, and tells of it: any part missing would show."""
    for n in range(1, COMMITS + 1):
        changes = [
            Put(LOG, f"{n:05}", {"n": n, "pad": "x" * (37 * n % 900)}, version=0),
            Add("acme/counts", "all", "n", 1),
            Put("acme/marker", f"at-{n}", {"n": n}),
            Delete("acme/marker", f"at-{n - 1}"),
        ]
        yield n, Waiting(prepared(tuple(changes), [received("doc", n)]))


def groups(rng):
    """The commits in groups as they might arrive, some with a commit that is refused among them."""
    waiting, group = list(commits()), []
    for n, commit in waiting:
        group.append((n, commit))
        if rng.random() < 0.4:
            yield group
            group = []
        elif rng.random() < 0.2:
            group.append((0, Waiting(prepared((Put(LOG, "refused", {}), Add(LOG, "refused", "n", 1, ceiling=0)), []))))
    if group:
        yield group


def cuts(*, durable, states, seed, place):
    """(files left, commits acknowledged by then) at moments spread over the whole run."""
    rng = random.Random(seed)
    name = f"disk-{durable}-{seed}"
    disk = Disk(name)
    acknowledged, left = 0, []

    def look(chance):
        if rng.random() < chance:
            left.append((disk.cut(rng), acknowledged))

    connection = apsw.Connection(str(place / FILE), vfs=name)
    with closing(connection):
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # shared memory is beyond a file system in Python
        for pragma in pragmas(durable=durable):
            connection.execute(pragma)
        connection.execute("PRAGMA wal_autocheckpoint = 20")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(SQL["schema"])
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        chance = states / 1000
        disk.on_step = lambda: look(chance)
        for group in groups(rng):
            connection.execute("BEGIN IMMEDIATE")
            transact(connection, [commit for _, commit in group])
            connection.execute("COMMIT")
            assert all(isinstance(commit.error, LimitReached) == (n == 0) for n, commit in group)
            acknowledged = max(n for n, _ in group) or acknowledged
            look(min(1.0, 3 * chance))
        disk.on_step = lambda: None
    return left


def verdict(files, acknowledged):
    """whole, lost, or what is broken."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        laid_out(files, place)
        with closing(opened(place / FILE, durable=True)) as connection:
            if connection.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                return "damaged"
            rows = dict(connection.execute("SELECT partition, count(*) FROM record GROUP BY partition"))
            keys = [
                key for (key,) in connection.execute("SELECT key FROM record WHERE partition = ? ORDER BY key", (LOG,))
            ]
            marker = connection.execute("SELECT key FROM record WHERE partition = 'acme/marker'").fetchall()
            count = connection.execute("SELECT version FROM record WHERE partition = 'acme/counts'").fetchone() or (0,)
            events = connection.execute("SELECT count(*), max(sequence) FROM outbox").fetchone()
    found = len(keys)
    half = (
        keys != [f"{n:05}" for n in range(1, found + 1)]
        or marker != ([(f"at-{found}",)] if found else [])
        or count != (found,)
        or events != (found, found or None)
        or rows.get("acme/marker", 0) > 1
    )
    if half:
        return "half done"
    return "lost" if found < acknowledged else "whole"


def replay(*, durable, states, seed, place):
    return Counter(verdict(*cut) for cut in cuts(durable=durable, states=states, seed=seed, place=place))


def test_no_power_cut_loses_what_was_acknowledged(tmp_path):
    verdicts = replay(durable=True, states=400, seed=1, place=tmp_path)
    assert set(verdicts) == {"whole"}
    assert verdicts["whole"] >= 350


def test_the_control_that_syncs_less_does_lose_and_the_replay_sees_it(tmp_path):
    verdicts = replay(durable=False, states=200, seed=1, place=tmp_path)
    assert verdicts["lost"] > 10
    assert set(verdicts) <= {"whole", "lost"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_no_power_cut_of_thousands_loses_what_was_acknowledged(tmp_path, seed):
    assert set(replay(durable=True, states=1000, seed=seed, place=tmp_path)) == {"whole"}


def test_the_bundled_sqlite_is_new_enough_for_what_the_schema_uses():
    assert sqlite3.sqlite_version_info >= (3, 37)

-- Records and their outbox in one SQLite file. A record lives in the index itself (WITHOUT ROWID), so that reading one
-- is one search. The outbox numbers events in the order of their commits: SQLite gives a new row the highest number plus
-- one, so the newest row is never removed, lest a number come twice.

-- :schema
CREATE TABLE IF NOT EXISTS record (
    partition TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (partition, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
    sequence INTEGER PRIMARY KEY,
    partition TEXT NOT NULL,
    kind TEXT NOT NULL,
    event BLOB NOT NULL
) STRICT;

-- :get
SELECT version, value FROM record WHERE partition = ? AND key = ?

-- :up
SELECT key, value, version FROM record WHERE partition = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?

-- :down
SELECT key, value, version FROM record WHERE partition = ? AND key >= ? AND key < ? ORDER BY key DESC LIMIT ?

-- :insert
INSERT INTO record (partition, key, version, value) VALUES (?, ?, ?, ?)

-- :put
INSERT INTO record (partition, key, version, value) VALUES (?, ?, ?, ?)
ON CONFLICT (partition, key) DO UPDATE SET version = excluded.version, value = excluded.value

-- :delete
DELETE FROM record WHERE partition = ? AND key = ?

-- :delete_version
DELETE FROM record WHERE partition = ? AND key = ? AND version = ? RETURNING 1

-- :tell
INSERT INTO outbox (partition, kind, event) VALUES (?, ?, ?)

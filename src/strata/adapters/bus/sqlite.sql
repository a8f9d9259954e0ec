-- How far each subscriber has come: everything up to its cursor is handled, except the events that are parked because
-- their partition has failed.

-- :schema
CREATE TABLE IF NOT EXISTS subscriber (
    name TEXT PRIMARY KEY,
    cursor INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parked (
    subscriber TEXT NOT NULL,
    partition TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (subscriber, partition, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS parked_sequence ON parked (sequence, subscriber);

-- :enter
INSERT OR IGNORE INTO subscriber (name, cursor) VALUES (?, (SELECT coalesce(max(sequence), 0) FROM outbox))

-- :cursor
SELECT cursor FROM subscriber WHERE name = ?

-- :head
SELECT coalesce(max(sequence), 0) FROM outbox

-- :events
SELECT sequence, partition, kind, event FROM outbox WHERE sequence > ? ORDER BY sequence LIMIT ?

-- :advance
UPDATE subscriber SET cursor = max(cursor, ?) WHERE name = ?

-- :park
INSERT OR IGNORE INTO parked (subscriber, partition, sequence) VALUES (?, ?, ?)

-- :unpark
DELETE FROM parked WHERE subscriber = ? AND partition = ? AND sequence = ?

-- :parked_partitions
SELECT DISTINCT partition FROM parked WHERE subscriber = ?

-- :parked_events
SELECT outbox.sequence, outbox.event
FROM parked JOIN outbox ON outbox.sequence = parked.sequence
WHERE parked.subscriber = ? AND parked.partition = ?
ORDER BY parked.sequence
LIMIT ?

-- :first_parked
SELECT min(sequence) FROM parked WHERE subscriber = ?

-- :waiting
SELECT
    (SELECT count(*) FROM parked WHERE subscriber = :name)
    + (SELECT count(*) FROM outbox
       WHERE sequence > (SELECT cursor FROM subscriber WHERE name = :name)
         AND kind IN (SELECT value FROM json_each(:kinds)))

-- :prune
DELETE FROM outbox WHERE sequence IN (
    SELECT sequence FROM outbox
    WHERE sequence <= (SELECT min(cursor) FROM subscriber)
      AND sequence < (SELECT max(sequence) FROM outbox)
      AND NOT EXISTS (SELECT 1 FROM parked WHERE parked.sequence = outbox.sequence)
    ORDER BY sequence
    LIMIT 1000
)

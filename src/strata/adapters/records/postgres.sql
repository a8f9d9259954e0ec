-- Records and their outbox in one schema of a PostgreSQL database. Keys are compared byte by byte (COLLATE "C"), whatever
-- the database's own order is. Values are JSON as bytes, exactly as they were written: `convert_from(value, 'UTF8')`
-- shows them. Whoever writes holds the schema's advisory lock until the commit, so the outbox is numbered in the order of
-- commits, and a number that can be seen has none below it that is still to come.

-- :installed
SELECT to_regclass('installation') IS NOT NULL

-- :version
SELECT version FROM installation

-- :schema_exists
SELECT to_regnamespace($1) IS NOT NULL

-- :schema
CREATE TABLE IF NOT EXISTS record (
    partition text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (partition, key)
) WITH (fillfactor = 85);
CREATE TABLE IF NOT EXISTS outbox (
    sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partition text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    event bytea NOT NULL
);
CREATE TABLE IF NOT EXISTS writer (
    id text PRIMARY KEY,
    number bigint NOT NULL,
    seen timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS subscriber (
    name text PRIMARY KEY,
    cursor bigint NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS parked (
    subscriber text NOT NULL,
    partition text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (subscriber, partition, sequence)
);
CREATE INDEX IF NOT EXISTS parked_sequence ON parked (sequence, subscriber);
CREATE TABLE IF NOT EXISTS installation (version integer NOT NULL);
INSERT INTO installation (version) SELECT 1 WHERE NOT EXISTS (SELECT FROM installation)

-- :forget_writers
DELETE FROM writer WHERE seen < now() - interval '7 days'

-- :get
SELECT version, value FROM record WHERE partition = $1 AND key = $2

-- :up
SELECT key, value, version FROM record
WHERE partition = $1 AND key >= $2 AND key < $3 ORDER BY key LIMIT $4

-- :up_open
SELECT key, value, version FROM record
WHERE partition = $1 AND key >= $2 ORDER BY key LIMIT $3

-- :down
SELECT key, value, version FROM record
WHERE partition = $1 AND key >= $2 AND key < $3 ORDER BY key DESC LIMIT $4

-- :down_open
SELECT key, value, version FROM record
WHERE partition = $1 AND key >= $2 ORDER BY key DESC LIMIT $3

-- :standing
SELECT record.partition, record.key, record.version, record.value
FROM unnest($1::text[], $2::text[]) AS place (partition, key)
JOIN record ON record.partition = place.partition COLLATE "C" AND record.key = place.key COLLATE "C"

-- :outcome
SELECT number FROM writer WHERE id = $1

-- :write
WITH put AS (
    INSERT INTO record (partition, key, version, value)
    SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[])
    ON CONFLICT (partition, key) DO UPDATE SET version = excluded.version, value = excluded.value
), gone AS (
    DELETE FROM record USING unnest($5::text[], $6::text[]) AS place (partition, key)
    WHERE record.partition = place.partition COLLATE "C" AND record.key = place.key COLLATE "C"
), told AS (
    INSERT INTO outbox (partition, kind, event)
    SELECT partition, kind, event
    FROM unnest($7::text[], $8::text[], $9::bytea[]) WITH ORDINALITY AS fact (partition, kind, event, nth)
    ORDER BY nth
)
INSERT INTO writer (id, number) VALUES ($10, $11)
ON CONFLICT (id) DO UPDATE SET number = excluded.number, seen = now()

-- :wake
SELECT pg_notify($1, '')

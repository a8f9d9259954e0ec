-- How far each subscriber has come: everything up to its cursor is handled, except the events that are parked because
-- their partition has failed. Only who holds the subscriber's advisory lock writes here.

-- :enter
INSERT INTO subscriber (name, cursor)
SELECT $1, coalesce(pg_sequence_last_value(pg_get_serial_sequence('outbox', 'sequence')::regclass), 0)
ON CONFLICT (name) DO NOTHING

-- :lead
SELECT pg_try_advisory_lock($1)

-- :cursor
SELECT cursor FROM subscriber WHERE name = $1

-- :head
SELECT coalesce(max(sequence), 0) FROM outbox

-- :events
SELECT sequence, partition, kind, event FROM outbox WHERE sequence > $1 ORDER BY sequence LIMIT $2

-- :parked_partitions
SELECT DISTINCT partition FROM parked WHERE subscriber = $1

-- :parked_events
SELECT outbox.sequence, outbox.event
FROM parked JOIN outbox ON outbox.sequence = parked.sequence
WHERE parked.subscriber = $1 AND parked.partition = $2
ORDER BY parked.sequence
LIMIT $3

-- :first_parked
SELECT min(sequence) FROM parked WHERE subscriber = $1

-- :waiting
SELECT
    (SELECT count(*) FROM parked WHERE subscriber = $1)
    + (SELECT count(*) FROM outbox
       WHERE sequence > (SELECT cursor FROM subscriber WHERE name = $1) AND kind = ANY ($2::text[]))

-- :park
INSERT INTO parked (subscriber, partition, sequence)
SELECT $1, partition, sequence FROM unnest($2::text[], $3::bigint[]) AS event (partition, sequence)
ON CONFLICT DO NOTHING

-- :unpark
DELETE FROM parked USING unnest($2::text[], $3::bigint[]) AS event (partition, sequence)
WHERE parked.subscriber = $1 AND parked.partition = event.partition COLLATE "C" AND parked.sequence = event.sequence

-- :advance
UPDATE subscriber SET cursor = greatest(cursor, $2) WHERE name = $1

-- :prune
DELETE FROM outbox WHERE sequence IN (
    SELECT sequence FROM outbox
    WHERE sequence <= (SELECT min(cursor) FROM subscriber)
      AND NOT EXISTS (SELECT FROM parked WHERE parked.sequence = outbox.sequence)
    ORDER BY sequence
    LIMIT 1000
    FOR UPDATE SKIP LOCKED
)

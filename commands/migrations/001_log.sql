-- The log: eventsourcing's own columns, so that its recorder reads and tails it. Rows are never updated.
CREATE TABLE events (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    topic text NOT NULL,
    state bytea NOT NULL,
    notification_id bigserial NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (originator_id, originator_version)
) WITH (
    autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_analyze_threshold = 1000
);
CREATE UNIQUE INDEX events_notification_id_idx ON events (notification_id);
-- Bodies are short; kept in line they are read in one step.
ALTER TABLE events ALTER COLUMN state SET STORAGE MAIN;

-- Who holds a unique value: one row in the transaction of the events that took it.
CREATE TABLE claim (
    organization uuid NOT NULL,
    kind text NOT NULL,
    value text NOT NULL,
    holder uuid NOT NULL,
    CONSTRAINT claim_pkey PRIMARY KEY (organization, kind, value)
);
CREATE INDEX claim_holder_idx ON claim (holder);

-- What an Idempotency-Key was answered with, in the transaction of what it did.
CREATE TABLE receipt (
    organization uuid NOT NULL,
    key text NOT NULL,
    request bytea NOT NULL,
    status smallint NOT NULL,
    headers text NOT NULL,
    body text NOT NULL,
    created timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT receipt_pkey PRIMARY KEY (organization, key)
);
CREATE INDEX receipt_created_idx ON receipt (created);

-- The functions below are the steps of a write. They are called side by side in one SELECT, which is its own
-- transaction: no lock is ever held while the client thinks.

CREATE FUNCTION release_claims(holders uuid[]) RETURNS void LANGUAGE sql AS $$
    DELETE FROM claim WHERE holder = ANY(holders)
$$;

CREATE FUNCTION take_claims(organizations uuid[], kinds text[], claimed text[], holders uuid[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO claim (organization, kind, value, holder) SELECT * FROM unnest(organizations, kinds, claimed, holders);
END $$;

CREATE FUNCTION bind_receipt(of uuid, named text, request bytea, status smallint, headers text, body text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO receipt (organization, key, request, status, headers, body)
    VALUES (of, named, request, status, headers, body);
END $$;

-- The last step of a write is one of these two. The lock makes the order of ids the order of commits, so that a reader
-- that follows the ids misses nothing; the library's own function of this kind takes no lock.
CREATE FUNCTION append_event(id uuid, version bigint, named text, body bytea) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    at bigint;
BEGIN
    LOCK TABLE events IN EXCLUSIVE MODE;
    NOTIFY events;
    INSERT INTO events (originator_id, originator_version, topic, state) VALUES (id, version, named, body)
    RETURNING notification_id INTO at;
    RETURN ARRAY[at];
END $$;

CREATE FUNCTION append_events(ids uuid[], versions bigint[], topics text[], states bytea[])
RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    positions bigint[];
BEGIN
    LOCK TABLE events IN EXCLUSIVE MODE;
    NOTIFY events;
    WITH appended AS (
        INSERT INTO events (originator_id, originator_version, topic, state)
        SELECT * FROM unnest(ids, versions, topics, states)
        RETURNING notification_id
    )
    SELECT array_agg(notification_id ORDER BY notification_id) INTO positions FROM appended;
    RETURN positions;
END $$;

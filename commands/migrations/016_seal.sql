-- The log is only ever added to, whoever asks. Maintenance takes this trigger off as the table's owner, in sight.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: what is logged stays as it is', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER events_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE events ENABLE ALWAYS TRIGGER events_stay;

-- A role that may only insert into the log and read it may not lock it either: this does it for such a role, and
-- nothing else.
CREATE FUNCTION lock_log() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    LOCK TABLE public.events IN EXCLUSIVE MODE;
END $$;
REVOKE EXECUTE ON FUNCTION lock_log() FROM PUBLIC;

CREATE OR REPLACE FUNCTION append_event(id uuid, version bigint, named text, body bytea)
RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    at bigint;
BEGIN
    PERFORM lock_log();
    NOTIFY events;
    INSERT INTO events (originator_id, originator_version, topic, state) VALUES (id, version, named, body)
    RETURNING notification_id INTO at;
    RETURN ARRAY[at];
END $$;

CREATE OR REPLACE FUNCTION append_events(ids uuid[], versions bigint[], topics text[], states bytea[])
RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    positions bigint[];
BEGIN
    PERFORM lock_log();
    NOTIFY events;
    WITH appended AS (
        INSERT INTO events (originator_id, originator_version, topic, state)
        SELECT * FROM unnest(ids, versions, topics, states)
        RETURNING notification_id
    )
    SELECT array_agg(notification_id ORDER BY notification_id) INTO positions FROM appended;
    RETURN positions;
END $$;

-- One row a seal: the statement is what was signed, to the byte; it says of which positions it is (after `after`, up to
-- `last`), the root of their tree, and the hash of the seal before. `leaves` has 56 bytes an event: position, stream,
-- leaf. Each key seals the whole log: `key` is the name of the one that did.
CREATE TABLE seal (
    key text NOT NULL,
    number bigint NOT NULL,
    after bigint NOT NULL,
    last bigint NOT NULL,
    statement text NOT NULL,
    signature bytea NOT NULL,
    leaves bytea NOT NULL,
    CONSTRAINT seal_pkey PRIMARY KEY (key, number)
);
CREATE INDEX seal_last_idx ON seal (key, last);
-- Hashes do not get smaller.
ALTER TABLE seal ALTER COLUMN leaves SET STORAGE EXTERNAL;

CREATE TRIGGER seals_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON seal
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE seal ENABLE ALWAYS TRIGGER seals_stay;

-- The newest leaf of each stream, where the next one goes on.
CREATE TABLE seal_head (
    key text NOT NULL,
    stream uuid NOT NULL,
    leaf bytea NOT NULL,
    CONSTRAINT seal_head_pkey PRIMARY KEY (key, stream)
) WITH (fillfactor = 80);

-- Which seals are kept outside of the database, and where.
CREATE TABLE seal_anchor (
    key text NOT NULL,
    number bigint NOT NULL,
    place text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT seal_anchor_pkey PRIMARY KEY (key, place, number)
);

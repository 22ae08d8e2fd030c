-- The to-do list counts attempts: all of them in `attempts`, those since it last got on in `fruitless`. What was given
-- up stays, with `dead_since` and the reason in `error`, until somebody has it tried again or drops it.
ALTER TABLE todo
    ADD attempts integer NOT NULL DEFAULT 0,
    ADD fruitless integer NOT NULL DEFAULT 0,
    ADD dead_since timestamptz,
    ADD error text;
ALTER TABLE todo SET (
    fillfactor = 70, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0,
    autovacuum_analyze_threshold = 500, autovacuum_analyze_scale_factor = 0.1
);
DROP INDEX todo_due_idx;
CREATE INDEX todo_due_idx ON todo (kind, due) WHERE dead_since IS NULL;
CREATE INDEX todo_dead_idx ON todo (dead_since) WHERE dead_since IS NOT NULL;

-- `waiting` until whoever got the message begins: an attempt counts from there, so one that is lost costs none.
ALTER TABLE lease ADD waiting boolean NOT NULL DEFAULT false;
ALTER TABLE lease SET (autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);
CREATE INDEX lease_waiting_idx ON lease (until) WHERE waiting;

-- What has to be done from time to time. Who does it has a lease of `subject`, as of work.
CREATE TABLE chore (
    name text NOT NULL,
    subject uuid NOT NULL DEFAULT gen_random_uuid(),
    next_due timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT chore_pkey PRIMARY KEY (name)
);

-- What the workers have done: attempts by kind and outcome, and how long they took.
CREATE TABLE task_tally (
    kind text NOT NULL,
    outcome text NOT NULL,
    tasks bigint NOT NULL,
    seconds double precision NOT NULL,
    CONSTRAINT task_tally_pkey PRIMARY KEY (kind, outcome)
) WITH (fillfactor = 50);

-- Steps of a write (see the log's). What is owed anew begins anew, whoever has it at the moment.
CREATE OR REPLACE FUNCTION owe(work uuid, of uuid, work_kind text, at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO todo (subject, organization, kind, due) VALUES (work, of, work_kind, at)
    ON CONFLICT (subject) DO UPDATE SET due = excluded.due, fruitless = 0, dead_since = NULL, error = NULL;
    NOTIFY todo;
END $$;

CREATE OR REPLACE FUNCTION owe_no_more(work uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM todo WHERE subject = work;
    DELETE FROM lease WHERE subject = work;
END $$;

CREATE FUNCTION got_on(work uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE todo SET fruitless = 0, error = NULL WHERE subject = work AND (fruitless > 0 OR error IS NOT NULL);
END $$;

-- An attempt came to nothing: it is due again then, or, without a then, never by itself.
CREATE FUNCTION fail_task(work uuid, at timestamptz, again timestamptz, reason text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE todo SET due = coalesce(again, due), error = reason, dead_since = CASE WHEN again IS NULL THEN at END
    WHERE subject = work;
    DELETE FROM lease WHERE subject = work;
END $$;

CREATE FUNCTION retry_task(work uuid, at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE todo SET due = at, fruitless = 0, dead_since = NULL, error = NULL WHERE subject = work;
    NOTIFY todo;
END $$;

-- Pictures that were given up go to the list, as dead.
INSERT INTO todo (subject, organization, kind, due, attempts, dead_since, error)
SELECT id, organization, 'image', now(), attempts, now(), error FROM image
WHERE error IS NOT NULL AND free_since IS NULL AND doomed IS NULL
ON CONFLICT (subject) DO NOTHING;
DROP INDEX image_failed_idx;
ALTER TABLE image DROP COLUMN attempts, DROP COLUMN error;

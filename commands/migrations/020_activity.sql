-- What was done with connections, as their owners read it: the newest 30 days or so. Not in the log: what changed is.
-- `number` is the presence's id in the API, kept for when it is gone; `changes` is finished JSON.
CREATE TABLE activity (
    id bigint GENERATED ALWAYS AS IDENTITY,
    organization uuid NOT NULL,
    connection uuid NOT NULL,
    at timestamptz NOT NULL,
    action text NOT NULL,
    outcome text NOT NULL,
    presence uuid,
    number bigint,
    product uuid,
    message text NOT NULL,
    changes text,
    CONSTRAINT activity_pkey PRIMARY KEY (id)
);
CREATE INDEX activity_connection_idx ON activity (connection, at, id);
CREATE INDEX activity_number_idx ON activity (connection, number, at, id) WHERE number IS NOT NULL;
CREATE INDEX activity_product_idx ON activity (connection, product, at, id) WHERE product IS NOT NULL;

-- How many entries there ever were. Each connection to the database counts in rows of its own, named by its process, so
-- that no transaction waits for another's; those of processes that ended are added up in the rows of process 0.
CREATE TABLE activity_tally (
    process integer NOT NULL,
    platform text NOT NULL,
    action text NOT NULL,
    outcome text NOT NULL,
    entries bigint NOT NULL,
    CONSTRAINT activity_tally_pkey PRIMARY KEY (process, platform, action, outcome)
) WITH (fillfactor = 50);

-- A step of a write (see the log's), and a call of workers: entries given as columns. What is said of a connection that
-- is gone, or goes meanwhile, is forgotten with it.
CREATE FUNCTION note_activities(
    of uuid, noted timestamptz, connections uuid[], actions text[], outcomes text[], presences uuid[], products uuid[],
    messages text[], changed text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM connection_list WHERE id = ANY(connections) AND organization = of ORDER BY id FOR KEY SHARE;
    INSERT INTO activity (
        organization, connection, at, action, outcome, presence, number, product, message, changes)
    SELECT of, a.connection, noted, a.action, a.outcome, a.presence, p.number, a.product, a.message, a.changes
    FROM unnest(connections, actions, outcomes, presences, products, messages, changed) WITH ORDINALITY
        AS a (connection, action, outcome, presence, product, message, changes, place)
    JOIN connection_list AS c ON c.id = a.connection AND c.organization = of
    LEFT JOIN presence_list AS p ON p.id = a.presence
    ORDER BY a.place;
    INSERT INTO activity_tally AS t (process, platform, action, outcome, entries)
    SELECT pg_backend_pid(), c.platform, a.action, a.outcome, count(*)
    FROM unnest(connections, actions, outcomes) AS a (connection, action, outcome)
    JOIN connection_list AS c ON c.id = a.connection AND c.organization = of
    GROUP BY c.platform, a.action, a.outcome ORDER BY c.platform, a.action, a.outcome
    ON CONFLICT (process, platform, action, outcome) DO UPDATE SET entries = t.entries + excluded.entries;
END $$;

-- A step of a write: run after the connection's own row is gone, so that nothing is noted of it any more.
CREATE FUNCTION drop_activity(of_connection uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM activity WHERE connection = of_connection;
END $$;

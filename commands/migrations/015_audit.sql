-- The log by organization: who did what when, and which streams a product has or had. It is told by the log's own rows,
-- in the transaction that brings them, whichever way they come in: by a write, or with a restored log.
CREATE TABLE audit_event (
    organization uuid NOT NULL,
    position bigint NOT NULL,
    originator uuid NOT NULL,
    product uuid,
    topic text COLLATE "C" NOT NULL,
    actor text COLLATE "C" NOT NULL,
    request_id text COLLATE "C" NOT NULL,
    time timestamptz NOT NULL,
    CONSTRAINT audit_event_pkey PRIMARY KEY (organization, position)
) WITH (
    autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_analyze_threshold = 1000
);
CREATE INDEX audit_event_topic_idx ON audit_event (organization, topic, position);
CREATE INDEX audit_event_actor_idx ON audit_event (organization, actor, position);
CREATE INDEX audit_event_request_idx ON audit_event (organization, request_id, position);
CREATE INDEX audit_event_product_idx ON audit_event (product) WHERE product IS NOT NULL;
-- Times ascend with positions but for moments: the blocks that hold a span of them are few.
CREATE INDEX audit_event_time_idx ON audit_event USING brin (time, position) WITH (pages_per_range = 32, autosummarize = on);

-- What every event says of itself. Only the first one of a stream says whose it is.
CREATE FUNCTION told_by(state bytea) RETURNS TABLE (
    organization uuid, product text, actor text, correlation_id text, "timestamp" timestamptz
) LANGUAGE sql STABLE AS $$
    SELECT * FROM json_to_record(convert_from(state, 'UTF8')::json) AS told (
        organization uuid, product text, actor text, correlation_id text, "timestamp" timestamptz)
$$;

-- What says no organization is no event, and nobody's: the rebuild names it.
CREATE FUNCTION audit_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_event (organization, position, originator, product, topic, actor, request_id, time)
    SELECT t.organization, a.notification_id, a.originator_id,
        CASE WHEN a.originator_version = 1 THEN t.product::uuid END, a.topic, t.actor, t.correlation_id, t.timestamp
    FROM appended AS a CROSS JOIN LATERAL told_by(a.state) AS t WHERE t.organization IS NOT NULL;
    RETURN NULL;
END $$;

-- Make it again for some positions, the first left out. What is in the log stays as it is, so nobody waits for it.
CREATE FUNCTION rebuild_audit(after bigint, until bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    made bigint;
BEGIN
    DELETE FROM audit_event WHERE position > after AND position <= until;
    INSERT INTO audit_event (organization, position, originator, product, topic, actor, request_id, time)
    SELECT t.organization, e.notification_id, e.originator_id,
        CASE WHEN e.originator_version = 1 THEN t.product::uuid END, e.topic, t.actor, t.correlation_id, t.timestamp
    FROM events AS e CROSS JOIN LATERAL told_by(e.state) AS t
    WHERE e.notification_id > after AND e.notification_id <= until AND t.organization IS NOT NULL
    ORDER BY e.notification_id;
    GET DIAGNOSTICS made = ROW_COUNT;
    RETURN made;
END $$;

CREATE TRIGGER audit_events AFTER INSERT ON events REFERENCING NEW TABLE AS appended
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events();
-- The trigger holds writers back until it counts for them: this is all that was before.
SELECT rebuild_audit(0, coalesce(max(notification_id), 0)) FROM events;

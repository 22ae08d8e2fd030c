-- edges: Positions that cut the log into parts of the same number of events.
SELECT DISTINCT edge FROM (
    SELECT unnest(percentile_disc(
        ARRAY(SELECT i::float / %(count)s FROM generate_series(1, %(count)s - 1) AS i)
    ) WITHIN GROUP (ORDER BY notification_id)) AS edge FROM events
) AS cut ORDER BY edge;

-- newest: The log's last position.
SELECT coalesce(max(notification_id), 0) FROM events;

-- index_positions: Let entries be found by position while they are written and compared.
CREATE INDEX IF NOT EXISTS audit_event_position_idx ON audit_event (position);

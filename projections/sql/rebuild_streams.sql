-- edges: Streams that cut those of these kinds into parts of about the same number of events.
SELECT DISTINCT edge FROM (
    SELECT unnest(percentile_disc(
        ARRAY(SELECT i::float / %(count)s FROM generate_series(1, %(count)s - 1) AS i)
    ) WITHIN GROUP (ORDER BY originator_id)) AS edge FROM events WHERE split_part(topic, '.', 1) = ANY(%(nouns)s)
) AS cut WHERE edge IS NOT NULL ORDER BY edge;

-- events: The events of these kinds of a part of the log, stream by stream.
SELECT uuid_send(originator_id), topic, state, notification_id FROM events
WHERE (%(first)s::uuid IS NULL OR originator_id >= %(first)s::uuid)
  AND (%(last)s::uuid IS NULL OR originator_id < %(last)s::uuid)
  AND split_part(topic, '.', 1) = ANY(%(nouns)s)
ORDER BY originator_id, originator_version;

-- events_of: The events of some streams, stream by stream.
SELECT uuid_send(originator_id), topic, state, notification_id FROM events WHERE originator_id = ANY(%(ids)s)
ORDER BY originator_id, originator_version;

-- moved: The streams of these kinds that have events after a position.
SELECT DISTINCT originator_id FROM events
WHERE notification_id > %(after)s AND notification_id <= %(until)s AND split_part(topic, '.', 1) = ANY(%(nouns)s);

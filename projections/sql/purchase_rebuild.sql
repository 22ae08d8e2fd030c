-- ids: The next purchases in the log, by their ids.
SELECT originator_id FROM events
WHERE originator_version = 1 AND topic = 'purchase.created.v1' AND originator_id > %(after)s
ORDER BY originator_id LIMIT %(limit)s;

-- hold: Let writers wait: those that came before are done, and what they wrote is in the log.
LOCK TABLE purchase_list IN SHARE ROW EXCLUSIVE MODE;

-- events_of: The events of some purchases, stream by stream.
SELECT originator_id, topic, state, notification_id FROM events WHERE originator_id = ANY(%(ids)s)
ORDER BY originator_id, originator_version;

-- drop_strangers: Take out rows of no purchase of the log.
DELETE FROM purchase_list AS l
WHERE NOT EXISTS (SELECT FROM events AS e WHERE e.originator_id = l.id AND e.originator_version = 1);

-- drop_rows: Take out some rows, to be made anew: a token that another row has by mistake is free again.
DELETE FROM purchase_list WHERE id = ANY(%(ids)s) OR token_digest = ANY(%(digests)s);

-- key_names: What keys of an organization (of all of them for null) are called, the revoked ones too.
SELECT id, name FROM api_key
WHERE (%(organization)s::uuid IS NULL OR organization = %(organization)s) AND id = ANY(%(ids)s);

-- newest: The position of the log's newest event, and of the organization's.
SELECT coalesce((SELECT max(notification_id) FROM events), 0),
    coalesce((SELECT max(position) FROM audit_event WHERE organization = %b), 0);

-- stream: A stream's events, oldest first.
SELECT originator_id, originator_version, notification_id, topic, state FROM events
WHERE originator_id = %b ORDER BY originator_version;

-- families: The events of products and of all their streams of these kinds, also of those that are gone, up to a place.
SELECT s.product, e.originator_id, e.originator_version, e.notification_id, e.topic, e.state
FROM (
    SELECT id AS product, id FROM unnest(%(products)s::uuid[]) AS given (id)
    UNION ALL SELECT product, originator FROM audit_event
    WHERE product = ANY(%(products)s) AND organization = %(organization)s AND topic = ANY(%(births)s)
) AS s JOIN events AS e ON e.originator_id = s.id
WHERE e.notification_id <= %(until)s
ORDER BY e.notification_id;

-- first: What a stream began with.
SELECT originator_id, originator_version, notification_id, topic, state FROM events
WHERE originator_id = %b AND originator_version = 1;

-- is_there: Whether a product, what belongs to one, or a purchase is there now.
SELECT EXISTS (SELECT FROM product_list WHERE id = %(id)s) OR EXISTS (SELECT FROM child WHERE id = %(id)s)
    OR EXISTS (SELECT FROM purchase_list WHERE id = %(id)s);

-- clock: When an organization's newest event up to a position was.
SELECT time FROM audit_event WHERE organization = %b AND position <= %b::bigint ORDER BY position DESC LIMIT 1;

-- count_products: How many products an organization had at a moment, with those that are gone since or without.
SELECT count(*) FROM audit_event AS c
WHERE c.organization = %(organization)s AND c.topic = ANY(%(births)s) AND c.position <= %(until)s
  AND c.time <= coalesce(%(time)s::timestamptz, 'infinity')
  AND (%(with_gone)s OR EXISTS (SELECT FROM product_list AS l WHERE l.id = c.originator))
  AND NOT EXISTS (
    SELECT FROM audit_event AS d
    WHERE d.organization = c.organization AND d.topic = ANY(%(deaths)s) AND d.originator = c.originator
      AND d.position <= %(until)s AND d.time <= coalesce(%(time)s::timestamptz, 'infinity')
);

-- products: Those products, newest first or oldest first.
SELECT c.originator FROM audit_event AS c
WHERE c.organization = %(organization)s AND c.topic = ANY(%(births)s) AND c.position <= %(until)s
  AND c.time <= coalesce(%(time)s::timestamptz, 'infinity')
  AND (%(with_gone)s OR EXISTS (SELECT FROM product_list AS l WHERE l.id = c.originator))
  AND NOT EXISTS (
    SELECT FROM audit_event AS d
    WHERE d.organization = c.organization AND d.topic = ANY(%(deaths)s) AND d.originator = c.originator
      AND d.position <= %(until)s AND d.time <= coalesce(%(time)s::timestamptz, 'infinity')
)
ORDER BY CASE WHEN %(descends)s THEN c.time END DESC, CASE WHEN NOT %(descends)s THEN c.time END, c.originator
LIMIT %(size)s OFFSET %(offset)s;

-- connections: How each connection's listings are kept in step, with what became of its calls within the last hour.
SELECT c.organization, coalesce(o.name, ''), c.id, c.platform, c.document::jsonb ->> 'name', c.status, c.document::jsonb ->> 'reason',
    l.watched, l.due, l.lag, l.pushes, l.ends, r.checked, coalesce(b.state, 'closed'), b.until, b.reason,
    a.errors, a.newest
FROM connection_list AS c
LEFT JOIN organization AS o ON o.id = c.organization
LEFT JOIN order_cursor AS r ON r.connection = c.id
LEFT JOIN breaker AS b ON b.connection = c.id
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE is_enabled AND due IS NOT NULL) AS watched,
        count(*) FILTER (WHERE is_enabled AND due <= now()) AS due,
        coalesce(extract(epoch FROM now() - min(due) FILTER (WHERE is_enabled AND due <= now())), 0)::float AS lag,
        count(push_basis) AS pushes, count(end_wanted) AS ends
    FROM listing WHERE organization = c.organization AND platform = c.platform
) AS l
CROSS JOIN LATERAL (
    SELECT count(*) AS errors, (array_agg(message ORDER BY at DESC, id DESC))[1] AS newest FROM activity
    WHERE connection = c.id AND at > now() - interval '1 hour' AND outcome = 'failed'
) AS a
WHERE %(organization)s::uuid IS NULL OR c.organization = %(organization)s
ORDER BY 2, c.organization, c.created, c.id;

-- platforms: Listings by platform: those that are watched, those that are due, what is wanted of them, the oldest due.
-- Where no connection works nothing is due: its status says that.
SELECT l.platform, count(*) FILTER (WHERE l.is_enabled AND l.due IS NOT NULL),
    count(*) FILTER (WHERE l.is_enabled AND l.due <= now()), count(l.push_basis), count(l.end_wanted),
    coalesce(extract(epoch FROM now() - min(l.due) FILTER (WHERE l.is_enabled AND l.due <= now())), 0)::float
FROM listing AS l JOIN connection_list AS c ON c.organization = l.organization AND c.platform = l.platform
WHERE c.status = 'connected' GROUP BY l.platform;

-- open_breakers: How many connections are left alone, by platform.
SELECT c.platform, count(*) FROM breaker AS b JOIN connection_list AS c ON c.id = b.connection
WHERE b.state <> 'closed' GROUP BY c.platform;

-- limits: What may be asked still, but for what counts for a single listing: of a day, or as the marketplace last said.
SELECT key, CASE
        WHEN blocked_until > now() THEN 0
        WHEN a_day IS NULL THEN remaining
        WHEN day < (now() AT TIME ZONE 'UTC')::date THEN a_day
        ELSE greatest(0, a_day - used) END,
    CASE WHEN blocked_until > now() THEN blocked_until END
FROM budget WHERE NOT starts_with(key, 'ebay-revisions:') ORDER BY key;

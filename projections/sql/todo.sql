-- lease: Take work that is due and that nobody has; a lease that ran out counts as none.
WITH free AS (
    SELECT t.subject, t.organization, t.kind FROM todo AS t LEFT JOIN lease AS l ON l.subject = t.subject
    WHERE t.due <= now() AND (l.until IS NULL OR l.until <= now())
    ORDER BY t.due LIMIT %(limit)s FOR UPDATE OF t SKIP LOCKED
), taken AS (
    INSERT INTO lease AS l (subject, token, until)
    SELECT subject, gen_random_uuid(), now() + make_interval(secs => %(seconds)s) FROM free
    ON CONFLICT (subject) DO UPDATE SET token = excluded.token, until = excluded.until WHERE l.until <= now()
    RETURNING subject, token
)
SELECT free.subject, free.organization, free.kind, taken.token FROM taken JOIN free ON free.subject = taken.subject;

-- renew: Prolong a lease that is still the holder's.
UPDATE lease SET until = now() + make_interval(secs => %(seconds)s)
WHERE subject = %(subject)s AND token = %(token)s RETURNING 1;

-- release: Let a lease run out after so many seconds.
UPDATE lease SET until = now() + make_interval(secs => %(seconds)s), token = gen_random_uuid()
WHERE subject = %(subject)s AND token = %(token)s RETURNING 1;

-- sweep: Forget the leases of work that is no longer owed.
DELETE FROM lease AS l WHERE NOT EXISTS (SELECT FROM todo AS t WHERE t.subject = l.subject) RETURNING 1;

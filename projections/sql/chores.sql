-- know: Have chores of these names.
INSERT INTO chore (name) SELECT unnest(%(names)s::text[]) ON CONFLICT (name) DO NOTHING RETURNING 1;

-- take: Take the chore that has been due longest; also one whose period has become shorter than it has still to wait, by
-- more than two transactions' clocks may be apart: one that was done a moment ago is met here with its new time.
WITH due AS (
    SELECT c.name, c.subject
    FROM chore AS c JOIN unnest(%(names)s::text[], %(every)s::float[]) AS k (name, every) ON k.name = c.name
    LEFT JOIN lease AS l ON l.subject = c.subject
    WHERE (c.next_due <= now() OR c.next_due > now() + make_interval(secs => k.every + 10))
      AND (l.until IS NULL OR l.until <= now())
    ORDER BY c.next_due LIMIT 1 FOR UPDATE OF c SKIP LOCKED
), taken AS (
    INSERT INTO lease AS l (subject, token, until)
    SELECT subject, gen_random_uuid(), now() + make_interval(secs => %(seconds)s) FROM due
    ON CONFLICT (subject) DO UPDATE SET token = excluded.token, until = excluded.until WHERE l.until <= now()
    RETURNING subject, token
)
SELECT due.name, taken.subject, taken.token FROM taken JOIN due ON due.subject = taken.subject;

-- done: Say when it is due again, and give the lease back.
WITH ended AS (
    UPDATE chore AS c SET next_due = now() + make_interval(secs => %(seconds)s) FROM lease AS l
    WHERE c.subject = %(subject)s AND l.subject = c.subject AND l.token = %(token)s RETURNING c.subject
)
DELETE FROM lease AS l USING ended WHERE l.subject = ended.subject AND l.token = %(token)s RETURNING 1;

-- lease: Take work that is due and that nobody has; a lease that ran out counts as none.
WITH waiting AS (
    SELECT count(*) AS number FROM lease AS l JOIN todo AS t ON t.subject = l.subject
    WHERE l.waiting AND l.until > now() AND t.kind = ANY(%(kinds)s)
), free AS (
    SELECT t.subject, t.kind FROM unnest(%(kinds)s::text[]) AS k (kind) CROSS JOIN LATERAL (
        SELECT t.subject, t.kind, t.due FROM todo AS t LEFT JOIN lease AS l ON l.subject = t.subject
        WHERE t.kind = k.kind AND t.due <= now() AND t.dead_since IS NULL AND (l.until IS NULL OR l.until <= now())
        ORDER BY t.due LIMIT greatest(0, %(limit)s::bigint - (SELECT number FROM waiting))
        FOR UPDATE OF t SKIP LOCKED
    ) AS t
    ORDER BY t.due LIMIT greatest(0, %(limit)s::bigint - (SELECT number FROM waiting))
), taken AS (
    INSERT INTO lease AS l (subject, token, until, waiting)
    SELECT subject, gen_random_uuid(), now() + make_interval(secs => %(seconds)s), true FROM free
    ON CONFLICT (subject) DO UPDATE SET token = excluded.token, until = excluded.until, waiting = true
    WHERE l.until <= now()
    RETURNING subject, token
)
SELECT free.subject, free.kind, taken.token FROM taken JOIN free ON free.subject = taken.subject;

-- begin: Count an attempt of whoever has the lease and has not begun. The work's row comes first, here as everywhere.
WITH counted AS (
    UPDATE todo AS t SET attempts = t.attempts + 1, fruitless = t.fruitless + 1 FROM lease AS l
    WHERE t.subject = %(subject)s AND t.dead_since IS NULL
      AND l.subject = t.subject AND l.token = %(token)s AND l.waiting
    RETURNING t.subject, t.organization, t.attempts, t.fruitless, t.due
)
UPDATE lease AS l SET waiting = false, until = now() + make_interval(secs => %(seconds)s) FROM counted
WHERE l.subject = counted.subject AND l.token = %(token)s AND l.waiting
RETURNING counted.organization, counted.attempts, counted.fruitless, counted.due;

-- renew: Prolong leases that are still their holders'.
UPDATE lease AS l SET until = now() + make_interval(secs => %(seconds)s)
FROM unnest(%(subjects)s::uuid[], %(tokens)s::uuid[]) AS held (subject, token)
WHERE l.subject = held.subject AND l.token = held.token RETURNING l.token;

-- release: Give a lease back.
DELETE FROM lease WHERE subject = %(subject)s AND token = %(token)s RETURNING 1;

-- put_off: Give a lease back as if there had been no attempt; the work is due again after so many seconds.
WITH undone AS (
    UPDATE todo AS t SET attempts = t.attempts - 1, fruitless = greatest(0, t.fruitless - 1),
        error = coalesce(%(reason)s, t.error),
        due = CASE WHEN %(seconds)s::float > 0 THEN now() + make_interval(secs => %(seconds)s) ELSE t.due END
    FROM lease AS l
    WHERE t.subject = %(subject)s AND l.subject = t.subject AND l.token = %(token)s AND NOT l.waiting
    RETURNING t.subject
)
DELETE FROM lease AS l USING undone WHERE l.subject = undone.subject AND l.token = %(token)s RETURNING 1;

-- again: Give a lease back; the work is due again after so many seconds, or since it became due meanwhile.
WITH undone AS (
    UPDATE todo AS t SET error = %(reason)s,
        attempts = CASE WHEN %(reason)s::text IS NULL THEN 0 ELSE t.attempts END,
        fruitless = CASE WHEN %(reason)s::text IS NULL THEN 0 ELSE greatest(0, t.fruitless - 1) END,
        due = CASE WHEN t.due = %(was_due)s THEN now() + make_interval(secs => %(seconds)s) ELSE t.due END
    FROM lease AS l
    WHERE t.subject = %(subject)s AND l.subject = t.subject AND l.token = %(token)s AND NOT l.waiting
    RETURNING t.subject
)
DELETE FROM lease AS l USING undone WHERE l.subject = undone.subject AND l.token = %(token)s RETURNING 1;

-- strike: Take work off the list that did not become due meanwhile.
DELETE FROM todo AS t USING lease AS l
WHERE t.subject = %(subject)s AND t.due = %(was_due)s
  AND l.subject = t.subject AND l.token = %(token)s AND NOT l.waiting RETURNING 1;

-- error: Why work last came to nothing.
SELECT error FROM todo WHERE subject = %(subject)s;

-- sweep: Forget the leases that ran out of work that is no longer owed, and of chores that nobody does any more.
DELETE FROM lease AS l
WHERE l.until < now() AND NOT EXISTS (SELECT FROM todo AS t WHERE t.subject = l.subject) RETURNING 1;

-- tally: Add attempts that ended to those counted before.
INSERT INTO task_tally AS t (kind, outcome, tasks, seconds)
SELECT * FROM unnest(%(kinds)s::text[], %(outcomes)s::text[], %(tasks)s::bigint[], %(seconds)s::float[])
    AS r (kind, outcome, tasks, seconds) ORDER BY kind, outcome
ON CONFLICT (kind, outcome) DO UPDATE SET tasks = t.tasks + excluded.tasks, seconds = t.seconds + excluded.seconds
RETURNING 1;

-- listed: Work with whose it is and whether somebody does it at the moment.
SELECT t.subject, t.organization, coalesce(o.name, ''), t.kind, t.due, t.attempts, t.dead_since, t.error,
    EXISTS (SELECT FROM lease AS l WHERE l.subject = t.subject AND l.until > now())
FROM todo AS t LEFT JOIN organization AS o ON o.id = t.organization
WHERE (%(kind)s::text IS NULL OR t.kind = %(kind)s)
  AND (%(organization)s::uuid IS NULL OR t.organization = %(organization)s)
  AND (%(dead)s::boolean IS NULL OR (t.dead_since IS NOT NULL) = %(dead)s)
  AND (%(subject)s::uuid IS NULL OR t.subject = %(subject)s)
ORDER BY coalesce(t.dead_since, t.due), t.subject LIMIT %(limit)s::bigint;

-- lengths: How long the list is, by kind.
SELECT kind, count(*) FILTER (WHERE dead_since IS NULL AND due <= now()), count(dead_since),
    coalesce(extract(epoch FROM now() - min(due) FILTER (WHERE dead_since IS NULL AND due <= now())), 0)::float
FROM todo GROUP BY kind;

-- tallies: What the workers have done, by kind and outcome.
SELECT kind, outcome, tasks, seconds FROM task_tally;

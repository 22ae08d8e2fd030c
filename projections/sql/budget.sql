-- take: Take a turn of each of these keys, or learn why not.
SELECT wait, refused, failures FROM take_turn(
    %(at)s, %(connection)s::uuid, %(keys)s::text[], %(paces)s::double precision[], %(days)s::integer[],
    %(patience)s::double precision, %(trial)s::double precision
);

-- block: Have nobody take a turn of a key until then.
INSERT INTO budget (key, next_turn, day, blocked_until) VALUES (%(key)s, %(at)s, (%(at)s AT TIME ZONE 'UTC')::date, %(until)s)
ON CONFLICT (key) DO UPDATE SET blocked_until = greatest(budget.blocked_until, excluded.blocked_until) RETURNING 1;

-- correct: Keep what the marketplace says of a paced key, and have its next turn no sooner than then.
UPDATE budget SET pace = %(pace)s::double precision, remaining = %(remaining)s::integer,
    next_turn = greatest(next_turn, %(next)s)
WHERE key = %(key)s RETURNING 1;

-- failed: Count a failure that may pass; return what the breaker is then.
SELECT trip_breaker(
    %(connection)s::uuid, %(at)s, %(reason)s::text, %(threshold)s::integer, %(least)s::double precision,
    %(most)s::double precision, %(jitter)s::double precision
);

-- succeeded: Close a breaker.
UPDATE breaker SET state = 'closed', failures = 0, openings = 0, until = NULL, reason = NULL
WHERE connection = %(connection)s RETURNING 1;

-- let_go: Let another call try what an open breaker is tried by.
UPDATE breaker SET until = %(at)s WHERE connection = %(connection)s AND state = 'half-open' RETURNING 1;

-- forget: Drop what listings were revised on days that are over.
DELETE FROM budget WHERE starts_with(key, 'ebay-revisions:') AND day < %(before)s RETURNING 1;

-- standing: What is left of each key, but for those of single listings.
SELECT key, a_day, CASE WHEN day < (%(at)s AT TIME ZONE 'UTC')::date THEN 0 ELSE used END, remaining,
    CASE WHEN blocked_until > %(at)s THEN blocked_until END
FROM budget WHERE NOT starts_with(key, 'ebay-revisions:') ORDER BY key;

-- breakers: Those of connections that something failed of, by connection.
SELECT connection, CASE WHEN state = 'open' AND until <= %(at)s THEN 'half-open' ELSE state END, failures, until, reason
FROM breaker WHERE state <> 'closed' OR failures > 0 ORDER BY connection;

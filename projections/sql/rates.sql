-- keep: Keep the rates of a day and say where they came from.
WITH kept AS (
    INSERT INTO rate (currency, day, per_euro)
    SELECT currency, %(day)s::date, per_euro FROM unnest(%(currencies)s::text[], %(per_euro)s::numeric[]) AS r (currency, per_euro)
    ON CONFLICT (currency, day) DO UPDATE SET per_euro = excluded.per_euro
)
INSERT INTO rate_source (source, fetched, tried, error) VALUES (%(source)s, now(), now(), NULL)
ON CONFLICT (is_only) DO UPDATE SET source = excluded.source, fetched = now(), tried = now(), error = NULL RETURNING 1;

-- failed: Say why an attempt failed.
INSERT INTO rate_source (tried, error) VALUES (now(), %(error)s)
ON CONFLICT (is_only) DO UPDATE SET tried = now(), error = excluded.error RETURNING 1;

-- is_due: Whether the last fetch that succeeded is so long ago.
SELECT NOT EXISTS (SELECT FROM rate_source WHERE fetched > now() - make_interval(secs => %(seconds)s));

-- standing: Where the rates came from, when, why the last attempt failed, and the newest day there is.
SELECT s.source, s.fetched, s.error, (SELECT max(day) FROM rate WHERE currency = 'USD')
FROM (VALUES (1)) AS one LEFT JOIN rate_source AS s ON true;

-- newest: Each currency's newest rate, in their order.
SELECT DISTINCT ON (currency) currency, day, per_euro FROM rate ORDER BY currency, day DESC;

-- due: Presences whose price in USD is to be computed anew: their rate is too old, or they have none and one is known.
SELECT c.presence, c.organization, c.product FROM conversion AS c
WHERE (c.day < %(oldest)s::date
    OR c.day IS NULL AND EXISTS (SELECT FROM rate AS r WHERE r.currency = c.currency AND r.day >= %(oldest)s::date))
  AND c.presence > %(after)s
ORDER BY c.presence LIMIT %(limit)s;

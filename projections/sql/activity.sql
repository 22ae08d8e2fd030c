-- note: Note entries, given as columns.
SELECT note_activities(%(organization)s, %(at)s, %(connections)s::uuid[], %(actions)s::text[], %(outcomes)s::text[],
    %(presences)s::uuid[], %(products)s::uuid[], %(messages)s::text[], %(changes)s::text[]);

-- forget: Forget entries that are older than so many days, some at a time.
WITH old AS (
    SELECT a.id FROM connection_list AS c CROSS JOIN LATERAL (
        SELECT id FROM activity
        WHERE connection = c.id AND at < now() - make_interval(days => %(days)s::integer)
        ORDER BY at LIMIT %(limit)s::bigint
    ) AS a LIMIT %(limit)s::bigint
)
DELETE FROM activity WHERE id = ANY(ARRAY(SELECT id FROM old)) RETURNING 1;

-- gather: Add up what processes counted that ended.
WITH ended AS (
    DELETE FROM activity_tally WHERE (process, platform, action, outcome) IN (
        SELECT process, platform, action, outcome FROM activity_tally
        WHERE process <> 0 AND process NOT IN (SELECT pid FROM pg_stat_activity WHERE pid IS NOT NULL)
        FOR UPDATE SKIP LOCKED
    ) RETURNING platform, action, outcome, entries
)
INSERT INTO activity_tally AS t (process, platform, action, outcome, entries)
SELECT 0, platform, action, outcome, sum(entries) FROM ended
GROUP BY platform, action, outcome ORDER BY platform, action, outcome
ON CONFLICT (process, platform, action, outcome) DO UPDATE SET entries = t.entries + excluded.entries
RETURNING 1;

-- tallies: How many entries there ever were, by platform, action and outcome.
SELECT platform, action, outcome, sum(entries)::bigint FROM activity_tally
GROUP BY platform, action, outcome ORDER BY platform, action, outcome;

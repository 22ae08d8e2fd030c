-- sums: How many rows two tables have between two keys, and what those come to.
SELECT l.rows, l.hash, r.rows, r.hash FROM (
    SELECT count(*) AS rows, coalesce(bit_xor(hashtextextended(t::text, 0)), 0) AS hash FROM {live} AS t
    WHERE (%(first)s::text IS NULL OR {key} >= %(first)s::{type}) AND (%(last)s::text IS NULL OR {key} < %(last)s::{type})
) AS l, (
    SELECT count(*) AS rows, coalesce(bit_xor(hashtextextended(t::text, 0)), 0) AS hash FROM {made} AS t
    WHERE (%(first)s::text IS NULL OR {key} >= %(first)s::{type}) AND (%(last)s::text IS NULL OR {key} < %(last)s::{type})
) AS r;

-- differing: The rows that are not the same in both, or in one alone.
SELECT coalesce(l.key, r.key)::text, count(*) OVER () FROM (
    SELECT {key} AS key, hashtextextended(t::text, 0) AS hash FROM {live} AS t
    WHERE (%(first)s::text IS NULL OR {key} >= %(first)s::{type}) AND (%(last)s::text IS NULL OR {key} < %(last)s::{type})
) AS l FULL JOIN (
    SELECT {key} AS key, hashtextextended(t::text, 0) AS hash FROM {made} AS t
    WHERE (%(first)s::text IS NULL OR {key} >= %(first)s::{type}) AND (%(last)s::text IS NULL OR {key} < %(last)s::{type})
) AS r ON r.key = l.key
WHERE l.hash IS DISTINCT FROM r.hash ORDER BY 1 LIMIT %(limit)s;

-- type: Of which type a column is.
SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s;

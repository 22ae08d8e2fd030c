-- noted: Which form a projection's tables have; no row before the first one was noted.
SELECT version FROM projection WHERE name = %s;

-- note: Say which form they have now, and up to where in the log they were made anew.
INSERT INTO projection (name, version, position, built)
VALUES (%(name)s, %(version)s, %(position)s, CASE WHEN %(position)s::bigint IS NOT NULL THEN now() END)
ON CONFLICT (name) DO UPDATE SET version = excluded.version, position = excluded.position, built = excluded.built;

-- has_products: Whether the log has anything for the catalogue's tables.
SELECT EXISTS (SELECT FROM events WHERE topic LIKE 'product.%%');

-- noted: Which form the tables have; no row before the first one was noted.
SELECT version FROM projection WHERE name = 'catalogue';

-- note: Say which form the tables have now.
INSERT INTO projection (name, version) VALUES ('catalogue', %b) ON CONFLICT (name) DO UPDATE SET version = excluded.version;

-- has_products: Whether the log has anything for the tables.
SELECT EXISTS (SELECT FROM events WHERE topic LIKE 'product.%');

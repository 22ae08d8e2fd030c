-- prepare: A table of whose every item, presence and asset is or was: the log alone knows those that went.
CREATE UNLOGGED TABLE IF NOT EXISTS kin (id uuid PRIMARY KEY, product uuid NOT NULL);

-- index_families: Let what belongs to a product be found, where the live tables' indexes are not there.
CREATE INDEX IF NOT EXISTS inventory_list_product_idx ON inventory_list (organization, product, number);
CREATE INDEX IF NOT EXISTS presence_list_product_idx ON presence_list (organization, product, number);
CREATE INDEX IF NOT EXISTS asset_list_product_idx ON asset_list (organization, product, created, id);

-- find_kin: Note the items, presences and assets that came into the log after a position. The bytes are looked for as
-- they are written, which takes half of the time of reading the JSON; within a string its quotes would be escaped.
INSERT INTO kin (id, product)
SELECT originator_id, CASE WHEN place > 0 THEN convert_from(substring(state FROM place + 11 FOR 36), 'UTF8')
    ELSE convert_from(state, 'UTF8')::json ->> 'product' END::uuid
FROM (
    SELECT originator_id, state, position('"product":"'::bytea IN state) AS place FROM events
    WHERE notification_id > %(after)s AND notification_id <= %(until)s
      AND topic IN ('inventory.created.v1', 'presence.created.v1', 'asset.created.v1')
) AS born
ON CONFLICT DO NOTHING;

-- index_kin: Let kin be found by product.
CREATE INDEX IF NOT EXISTS kin_product_idx ON kin (product);

-- edges: Streams that cut the log into parts of about the same number of events.
SELECT DISTINCT edge FROM (
    SELECT unnest(percentile_disc(
        ARRAY(SELECT i::float / %(count)s FROM generate_series(1, %(count)s - 1) AS i)
    ) WITHIN GROUP (ORDER BY originator_id)) AS edge FROM events
) AS cut ORDER BY edge;

-- product_events: The products' events of a part of the log, stream by stream. Ids are bytes, which compare faster.
SELECT uuid_send(originator_id), topic, state, notification_id FROM events
WHERE (%(first)s::uuid IS NULL OR originator_id >= %(first)s::uuid)
  AND (%(last)s::uuid IS NULL OR originator_id < %(last)s::uuid)
  AND topic LIKE 'product.%%'
ORDER BY originator_id, originator_version;

-- kin_events: The events of these products' items, presences and assets, product by product.
SELECT uuid_send(k.product), uuid_send(e.originator_id), e.topic, e.state, e.notification_id
FROM kin AS k JOIN events AS e ON e.originator_id = k.id
WHERE (%(first)s::uuid IS NULL OR k.product >= %(first)s::uuid)
  AND (%(last)s::uuid IS NULL OR k.product < %(last)s::uuid)
ORDER BY k.product, e.originator_id, e.originator_version;

-- events_of: The events of some products, stream by stream.
SELECT uuid_send(originator_id), topic, state, notification_id FROM events
WHERE originator_id = ANY(%(ids)s) AND topic LIKE 'product.%%'
ORDER BY originator_id, originator_version;

-- kin_events_of: The events of some products' items, presences and assets, product by product.
SELECT uuid_send(k.product), uuid_send(e.originator_id), e.topic, e.state, e.notification_id
FROM kin AS k JOIN events AS e ON e.originator_id = k.id
WHERE k.product = ANY(%(ids)s)
ORDER BY k.product, e.originator_id, e.originator_version;

-- moved: The products that have events of their own or of their kin after a position.
SELECT DISTINCT coalesce(k.product, e.originator_id)
FROM events AS e LEFT JOIN kin AS k ON k.id = e.originator_id
WHERE e.notification_id > %(after)s AND e.notification_id <= %(until)s
  AND (k.id IS NOT NULL OR e.topic LIKE 'product.%%');

-- forget: Take the rows of some products and of their families out of the new tables.
WITH listed AS (DELETE FROM product_list WHERE id = ANY(%(ids)s) RETURNING organization, id),
    documents AS (DELETE FROM product_document WHERE id = ANY(%(ids)s)),
    items AS (
        DELETE FROM inventory_list AS i USING listed AS l
        WHERE i.organization = l.organization AND i.product = l.id
    ),
    assets AS (
        DELETE FROM asset_list AS a USING listed AS l
        WHERE a.organization = l.organization AND a.product = l.id
    )
DELETE FROM presence_list AS p USING listed AS l WHERE p.organization = l.organization AND p.product = l.id;

-- words: The words of products with those of their digital assets behind them, in the order given.
SELECT words_with(p.own::tsvector, p.others::tsvector[])::text
FROM unnest(%(own)s::text[], %(others)s::text[]) WITH ORDINALITY AS p (own, others, place)
ORDER BY p.place;

-- fill_products: Copy finished rows in.
COPY product_list (
    id, organization, revision, type, title_key, artist_key, created, updated, price_override, price, tags, is_mature,
    search, child_revision, items_made, total_count, available_count, statuses, listed, redbubble) FROM STDIN;

-- fill_documents: Copy finished documents in.
COPY product_document (id, image, document, own_words) FROM STDIN;

-- newest_of: The newest event of a product.
SELECT notification_id, topic FROM events WHERE originator_id = ANY(%(ids)s) ORDER BY notification_id DESC LIMIT 1;

-- show_all_checks: Let documents say when listings were checked.
SELECT apply_checks(NULL);

-- show_checks: Let documents say so of these products' listings, and of those that were checked since then, where they
-- do not yet.
SELECT show_checks(ARRAY(
    SELECT l.presence FROM (
        SELECT presence, checked FROM listing WHERE product = ANY(%(moved)s::uuid[]) AND checked IS NOT NULL
        UNION SELECT presence, checked FROM listing WHERE checked >= %(since)s::timestamptz
    ) AS l JOIN presence_list AS p ON p.id = l.presence
    WHERE p.document <> with_checked(p.document, l.checked)));

-- put: Write product rows, new ones and known ones alike; parameters are columns as arrays.
INSERT INTO product_list AS t (
    id, organization, revision, type, title_key, artist_key, created, updated, price,
    total_count, listed_count, available_count, listed, redbubble, statuses, tags, search, document)
SELECT id, organization, revision, type, title_key, artist_key, created, updated, price,
    0, 0, 0, false, false, '{}', tags, search::tsvector, document
FROM unnest(
    %b::uuid[], %b::uuid[], %b::bigint[], %b::text[], %b::text[], %b::text[], %b::timestamptz[], %b::timestamptz[],
    %b::numeric[], %b::text[], %b::text[], %b::text[]
) AS row (id, organization, revision, type, title_key, artist_key, created, updated, price, tags, search, document)
ON CONFLICT (id) DO UPDATE SET
    revision = excluded.revision, type = excluded.type, title_key = excluded.title_key,
    artist_key = excluded.artist_key, updated = excluded.updated, price = excluded.price, tags = excluded.tags,
    search = excluded.search, document = excluded.document;

-- drop: Take deleted products out.
DELETE FROM product_list WHERE id = ANY(%b);

-- advance: Move the organization's revision and count, as the last row before the log is locked.
INSERT INTO catalogue AS t (organization, revision, product_count) VALUES (%b, 1, %b)
ON CONFLICT (organization) DO UPDATE
SET revision = t.revision + 1, product_count = t.product_count + excluded.product_count;

-- detail: One product of an organization.
SELECT document, revision FROM product_list WHERE id = %b AND organization = %b;

-- revision: The product's revision, held until the transaction ends.
SELECT revision FROM product_list WHERE id = %b FOR UPDATE;

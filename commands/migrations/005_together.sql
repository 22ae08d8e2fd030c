-- Saves share transactions: what a step does for one it does for many in one statement.
CREATE FUNCTION bind_receipts(
    organizations uuid[], keys text[], requests bytea[], statuses smallint[], header_lines text[], bodies text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO receipt (organization, key, request, status, headers, body)
    SELECT * FROM unnest(organizations, keys, requests, statuses, header_lines, bodies);
END $$;

CREATE OR REPLACE FUNCTION put_products(
    ids uuid[], organizations uuid[], revisions bigint[], types text[], title_keys text[], artist_keys text[],
    createds timestamptz[], updateds timestamptz[], prices numeric[], tag_lines text[], searches text[],
    documents text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO product_list (
        id, organization, revision, type, title_key, artist_key, created, updated, price,
        total_count, listed_count, available_count, listed, redbubble, statuses, tags, search, document)
    SELECT a, b, c, d, e, f, g, h, i, 0, 0, 0, false, false, '{}', j, k::tsvector, l
    FROM unnest(
        ids, organizations, revisions, types, title_keys, artist_keys, createds, updateds, prices, tag_lines,
        searches, documents
    ) AS r (a, b, c, d, e, f, g, h, i, j, k, l)
    ON CONFLICT (id) DO UPDATE SET
        revision = excluded.revision, type = excluded.type, title_key = excluded.title_key,
        artist_key = excluded.artist_key, updated = excluded.updated, price = excluded.price, tags = excluded.tags,
        search = excluded.search, document = excluded.document;
END $$;

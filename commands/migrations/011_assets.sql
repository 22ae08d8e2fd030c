-- One row a digital asset. `is_printable` says whether its file is a picture that print on demand takes, `words` are
-- those of its filename, as in product_list.search.
CREATE TABLE asset_list (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    product uuid NOT NULL,
    revision bigint NOT NULL,
    is_primary boolean NOT NULL,
    is_printable boolean NOT NULL,
    created timestamptz NOT NULL,
    words tsvector NOT NULL,
    document text NOT NULL
) WITH (toast_tuple_target = 8160);
ALTER TABLE asset_list ADD CONSTRAINT asset_list_pkey PRIMARY KEY (id);
CREATE INDEX asset_list_product_idx ON asset_list (organization, product, created, id);

-- One row a file in the bucket, or on its way there. `free_since` says since when no asset has it, null while one does;
-- `doomed` when the collector took it: from then on nothing may have it again. One that was sold is never taken.
CREATE TABLE asset_file (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    blob text NOT NULL,
    size_bytes bigint,
    is_sold boolean NOT NULL DEFAULT false,
    free_since timestamptz,
    doomed timestamptz,
    CONSTRAINT asset_file_pkey PRIMARY KEY (id)
);
CREATE INDEX asset_file_free_idx ON asset_file (free_since)
    WHERE free_since IS NOT NULL AND doomed IS NULL AND NOT is_sold;
CREATE INDEX asset_file_doomed_idx ON asset_file (doomed) WHERE doomed IS NOT NULL;

-- Which assets' files the buyer of which purchase may have, whatever becomes of the asset.
CREATE TABLE sold_asset (
    asset uuid NOT NULL,
    purchase uuid NOT NULL,
    CONSTRAINT sold_asset_pkey PRIMARY KEY (asset, purchase)
);

-- One row a file that a client sends to the bucket itself, part by part, until it is an asset or given up. `multipart`
-- is the bucket's own name for it, `asked` what else the asset will be, as JSON.
CREATE TABLE asset_upload (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    product uuid NOT NULL,
    blob text NOT NULL,
    multipart text NOT NULL,
    filename text NOT NULL,
    content_type text NOT NULL,
    size_bytes bigint NOT NULL,
    part_bytes bigint NOT NULL,
    sha256 text,
    asked text NOT NULL,
    created timestamptz NOT NULL DEFAULT now(),
    expires timestamptz NOT NULL,
    CONSTRAINT asset_upload_pkey PRIMARY KEY (id)
);
CREATE INDEX asset_upload_expires_idx ON asset_upload (expires);

-- Before the first byte goes into the bucket, and now and then while more come: what comes to nothing after that is
-- collected.
CREATE FUNCTION announce_asset_file(file_id uuid, of uuid, new_blob text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO asset_file AS t (id, organization, blob, free_since) VALUES (file_id, of, new_blob, now())
    ON CONFLICT (id) DO UPDATE SET free_since = now() WHERE t.free_since IS NOT NULL AND t.doomed IS NULL;
END $$;

-- Steps of a write (see the log's). One that the collector took in between is refused, and with it the write.
CREATE FUNCTION show_asset_file(file_id uuid, of uuid, new_blob text, new_bytes bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO asset_file AS t (id, organization, blob, size_bytes) VALUES (file_id, of, new_blob, new_bytes)
    ON CONFLICT (id) DO UPDATE SET free_since = NULL, size_bytes = excluded.size_bytes WHERE t.doomed IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'asset file % was collected', file_id USING ERRCODE = 'serialization_failure';
    END IF;
END $$;

CREATE FUNCTION free_asset_files(ids uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE asset_file SET free_since = now() WHERE id = ANY(ids);
END $$;

-- A write to the rows themselves, so that a collector that is about to take one sees it.
CREATE FUNCTION sell_assets(of_purchase uuid, assets uuid[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    missing bigint;
BEGIN
    PERFORM FROM asset_file WHERE id = ANY(assets) ORDER BY id FOR NO KEY UPDATE;
    UPDATE asset_file SET is_sold = true WHERE id = ANY(assets) AND NOT is_sold AND doomed IS NULL;
    SELECT count(*) INTO missing FROM unnest(assets) AS sold (id) LEFT JOIN asset_file AS f ON f.id = sold.id
    WHERE f.is_sold IS NOT TRUE;
    IF missing > 0 THEN
        RAISE EXCEPTION '% of the files of purchase % were collected', missing, of_purchase
            USING ERRCODE = 'serialization_failure';
    END IF;
    INSERT INTO sold_asset (asset, purchase) SELECT id, of_purchase FROM unnest(assets) AS sold (id)
    ON CONFLICT DO NOTHING;
END $$;

CREATE FUNCTION begin_asset_upload(
    upload_id uuid, of uuid, of_product uuid, new_blob text, new_multipart text, new_filename text, new_type text,
    new_bytes bigint, new_part_bytes bigint, new_sha256 text, new_asked text, until timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO asset_upload (
        id, organization, product, blob, multipart, filename, content_type, size_bytes, part_bytes, sha256, asked,
        expires)
    VALUES (
        upload_id, of, of_product, new_blob, new_multipart, new_filename, new_type, new_bytes, new_part_bytes,
        new_sha256, new_asked, until);
END $$;

CREATE FUNCTION extend_asset_upload(upload_id uuid, until timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE asset_upload SET expires = until WHERE id = upload_id AND expires < until;
    UPDATE asset_file SET free_since = now() WHERE id = upload_id AND free_since IS NOT NULL AND doomed IS NULL;
END $$;

CREATE FUNCTION end_asset_upload(upload_id uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM asset_upload WHERE id = upload_id;
END $$;

-- Its file can become no asset from now on: it is the caller's to delete.
CREATE FUNCTION abandon_asset_upload(upload_id uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE asset_file SET doomed = now() WHERE id = upload_id AND free_since IS NOT NULL AND doomed IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'upload % is over', upload_id USING ERRCODE = 'serialization_failure';
    END IF;
    DELETE FROM asset_upload WHERE id = upload_id;
END $$;

-- What a product is found by and whether it is fit for Redbubble follow from its assets too.
ALTER TABLE product_list ADD COLUMN is_mature boolean NOT NULL DEFAULT false;
-- The product's own words, where `search` holds those of its assets besides.
ALTER TABLE product_document ADD COLUMN own_words tsvector;

DROP FUNCTION family(uuid);
CREATE FUNCTION family(p_product uuid)
RETURNS TABLE (child_revision bigint, items_made integer, items uuid[], presences uuid[], assets uuid[])
LANGUAGE sql STABLE AS $$
    SELECT l.child_revision, l.items_made,
        coalesce(array_agg(c.id ORDER BY c.id) FILTER (WHERE c.kind = 'inventory'), '{}'),
        coalesce(array_agg(c.id ORDER BY c.id) FILTER (WHERE c.kind = 'presence'), '{}'),
        coalesce(array_agg(c.id ORDER BY c.id) FILTER (WHERE c.kind = 'asset'), '{}')
    FROM product_list AS l LEFT JOIN child AS c ON c.product = l.id
    WHERE l.id = p_product GROUP BY l.id
$$;

-- What is past the limits of a vector is left out: the words of its last texts.
CREATE FUNCTION words_with(own tsvector, others tsvector[]) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    words tsvector;
BEGIN
    IF others IS NOT NULL THEN
        FOREACH words IN ARRAY others LOOP
            own := own || words;
        END LOOP;
    END IF;
    RETURN own;
EXCEPTION WHEN program_limit_exceeded THEN
    RETURN own;
END $$;

-- What the items, presences and assets of a product come to. `nested` is the fourth piece of its document: for a
-- product without any it is the byte that stands for that. `words` are those of its assets, null without any;
-- `suits_redbubble` says so as far as type, assets and presences tell.
DROP FUNCTION family_of(uuid, uuid, text, text);
CREATE FUNCTION family_of(p_organization uuid, p_product uuid, p_type text, p_image text)
RETURNS TABLE (
    total_count integer, available_count integer, statuses integer, listed boolean, computed numeric, nested text,
    suits_redbubble boolean, words tsvector[]
) LANGUAGE sql STABLE AS $$
    SELECT i.total, i.available, i.statuses, i.listed > 0 OR p.active > 0, coalesce(i.price, p.price),
        CASE WHEN i.total = 0 AND p.total = 0 AND a.total = 0 THEN
            coalesce(p_image, 'null') || CASE p_type WHEN 'physical' THEN E'\x05' ELSE E'\x06' END
        ELSE
            coalesce(p_image, i.photo, p.image, 'null')
            || ',"total_inventory_count":' || i.total
            || ',"listed_inventory_count":' || i.listed
            || ',"available_inventory_count":' || i.available
            || ',"has_primary_asset":' || CASE WHEN a.has_primary THEN 'true' ELSE 'false' END
            || ',"inventory_items":[' || coalesce(i.summaries, '')
            || '],"available_platforms":' || CASE p_type WHEN 'physical' THEN E'\x01' ELSE E'\x02' END
            || ',"marketplace_presences":[' || coalesce(p.documents, '')
            || '],"redbubble_presence":' || coalesce(p.redbubble,
                '{"exists":false,"external_url":null,"external_listing_id":null,"status":null}')
        END,
        p_type = 'digital' AND a.is_printable AND p.live_on_redbubble = 0, a.words
    FROM (
        SELECT count(*)::integer AS total,
            count(*) FILTER (WHERE is_listed)::integer AS listed,
            count(*) FILTER (WHERE is_available)::integer AS available,
            coalesce(bit_or(1 << status), 0) AS statuses,
            min(offer) FILTER (WHERE is_listed OR is_available) AS price,
            (array_agg(photo ORDER BY number) FILTER (WHERE photo IS NOT NULL))[1] AS photo,
            string_agg(summary || '}', ',' ORDER BY number) AS summaries
        FROM inventory_list WHERE organization = p_organization AND product = p_product
    ) AS i, (
        SELECT count(*) AS total,
            count(*) FILTER (WHERE is_active) AS active,
            count(*) FILTER (
                WHERE redbubble IS NOT NULL AND redbubble::json ->> 'status' IN ('active', 'draft', 'paused')
            ) AS live_on_redbubble,
            min(price) FILTER (WHERE is_active) AS price,
            (array_agg(image ORDER BY number) FILTER (WHERE image IS NOT NULL))[1] AS image,
            (array_agg(redbubble ORDER BY number DESC) FILTER (WHERE redbubble IS NOT NULL))[1] AS redbubble,
            string_agg(document, ',' ORDER BY number) FILTER (WHERE is_nested) AS documents
        FROM presence_list WHERE organization = p_organization AND product = p_product
    ) AS p, (
        -- Physical products have none: nothing is looked for.
        SELECT count(*) AS total,
            coalesce(bool_or(is_primary), false) AS has_primary,
            coalesce(bool_or(is_primary AND is_printable), false) AS is_printable,
            array_agg(asset_list.words ORDER BY created, id) AS words
        FROM asset_list WHERE p_type <> 'physical' AND organization = p_organization AND product = p_product
    ) AS a
$$;

CREATE OR REPLACE FUNCTION refresh_products(ids uuid[], moves bigint[], made integer[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM hold_products(ids);
    WITH fresh AS MATERIALIZED (
        SELECT g.*, f.*, coalesce(d.own_words, l.search) AS own
        FROM unnest(ids, moves, made) AS g (id, moved, newest)
        JOIN product_list AS l ON l.id = g.id JOIN product_document AS d ON d.id = g.id
        CROSS JOIN LATERAL family_of(l.organization, l.id, l.type, d.image) AS f
    ), listed AS (
        UPDATE product_list AS l SET child_revision = l.child_revision + f.moved,
            items_made = greatest(l.items_made, f.newest), price = coalesce(l.price_override, f.computed),
            total_count = f.total_count, available_count = f.available_count, statuses = f.statuses, listed = f.listed,
            redbubble = f.suits_redbubble AND NOT l.is_mature,
            search = CASE WHEN f.words IS NULL THEN f.own ELSE words_with(f.own, f.words) END
        FROM fresh AS f WHERE l.id = f.id
    )
    UPDATE product_document AS d SET document = document_with(d.document, f.computed, f.nested),
        own_words = CASE WHEN f.words IS NOT NULL THEN f.own END
    FROM fresh AS f WHERE d.id = f.id;
END $$;

DROP FUNCTION add_product(
    uuid, uuid, bigint, text, text, text, timestamptz, timestamptz, numeric, text, text, text, text);
CREATE FUNCTION add_product(
    p_id uuid, p_organization uuid, p_revision bigint, p_type text, p_title_key text, p_artist_key text,
    p_created timestamptz, p_updated timestamptz, p_price numeric, p_tags text, p_is_mature boolean, p_search text,
    p_image text, p_document text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO product_list (
        id, organization, revision, type, title_key, artist_key, created, updated, price_override, price, tags,
        is_mature, search)
    VALUES (
        p_id, p_organization, p_revision, p_type, p_title_key, p_artist_key, p_created, p_updated, p_price, p_price,
        p_tags, p_is_mature, p_search::tsvector);
    INSERT INTO product_document (id, image, document) VALUES (p_id, p_image, p_document);
    PERFORM advance_catalogue(p_organization, 1, 0);
END $$;

DROP FUNCTION add_products(
    uuid[], uuid[], bigint[], text[], text[], text[], timestamptz[], timestamptz[], numeric[], text[], text[], text[],
    text[]);
CREATE FUNCTION add_products(
    ids uuid[], organizations uuid[], revisions bigint[], types text[], title_keys text[], artist_keys text[],
    createds timestamptz[], updateds timestamptz[], prices numeric[], tag_lines text[], are_mature boolean[],
    searches text[], images text[], documents text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO product_list (
        id, organization, revision, type, title_key, artist_key, created, updated, price_override, price, tags,
        is_mature, search)
    SELECT a, b, c, d, e, f, g, h, i, i, j, k, l::tsvector FROM unnest(
        ids, organizations, revisions, types, title_keys, artist_keys, createds, updateds, prices, tag_lines,
        are_mature, searches
    ) AS r (a, b, c, d, e, f, g, h, i, j, k, l);
    INSERT INTO product_document (id, image, document) SELECT * FROM unnest(ids, images, documents);
END $$;

DROP FUNCTION add_families(
    uuid[], uuid[], bigint[], text[], text[], text[], timestamptz[], timestamptz[], numeric[], text[], text[], text[],
    text[], bigint[], integer[]);
CREATE FUNCTION add_families(
    ids uuid[], organizations uuid[], revisions bigint[], types text[], title_keys text[], artist_keys text[],
    createds timestamptz[], updateds timestamptz[], prices numeric[], tag_lines text[], are_mature boolean[],
    searches text[], images text[], documents text[], moves bigint[], made integer[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH family AS MATERIALIZED (
        SELECT r.*, f.*, l::tsvector AS own FROM unnest(
            ids, organizations, revisions, types, title_keys, artist_keys, createds, updateds, prices, tag_lines,
            are_mature, searches, images, documents, moves, made
        ) AS r (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) CROSS JOIN LATERAL family_of(b, a, d, m) AS f
    ), listed AS (
        INSERT INTO product_list (
            id, organization, revision, type, title_key, artist_key, created, updated, price_override, price, tags,
            is_mature, search, child_revision, items_made, total_count, available_count, statuses, listed, redbubble)
        SELECT a, b, c, d, e, f, g, h, i, coalesce(i, computed), j, k,
            CASE WHEN words IS NULL THEN own ELSE words_with(own, words) END, o, p, total_count, available_count,
            statuses, listed, suits_redbubble AND NOT k
        FROM family
    )
    INSERT INTO product_document (id, image, document, own_words)
    SELECT a, m, document_with(n, computed, nested), CASE WHEN words IS NOT NULL THEN own END FROM family;
END $$;

DROP FUNCTION put_product(
    uuid, uuid, bigint, text, text, text, timestamptz, timestamptz, numeric, text, text, text, text);
CREATE FUNCTION put_product(
    p_id uuid, p_organization uuid, p_revision bigint, p_type text, p_title_key text, p_artist_key text,
    p_created timestamptz, p_updated timestamptz, p_price numeric, p_tags text, p_is_mature boolean, p_search text,
    p_image text, p_document text
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    family bigint;
BEGIN
    UPDATE product_list SET
        revision = p_revision, title_key = p_title_key, artist_key = p_artist_key, updated = p_updated,
        price_override = p_price, price = p_price, tags = p_tags, is_mature = p_is_mature,
        search = p_search::tsvector
    WHERE id = p_id RETURNING child_revision INTO family;
    UPDATE product_document SET image = p_image, document = p_document, own_words = NULL WHERE id = p_id;
    IF family > 0 THEN
        PERFORM refresh_products(ARRAY[p_id], ARRAY[0::bigint], ARRAY[0]);
    END IF;
END $$;

DROP FUNCTION put_products(
    uuid[], uuid[], bigint[], text[], text[], text[], timestamptz[], timestamptz[], numeric[], text[], text[], text[],
    text[]);
CREATE FUNCTION put_products(
    ids uuid[], organizations uuid[], revisions bigint[], types text[], title_keys text[], artist_keys text[],
    createds timestamptz[], updateds timestamptz[], prices numeric[], tag_lines text[], are_mature boolean[],
    searches text[], images text[], documents text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM hold_products(ids);
    UPDATE product_list AS t SET
        revision = c, title_key = e, artist_key = f, updated = h, price_override = i, price = i, tags = j,
        is_mature = k, search = l::tsvector
    FROM unnest(
        ids, organizations, revisions, types, title_keys, artist_keys, createds, updateds, prices, tag_lines,
        are_mature, searches
    ) AS r (a, b, c, d, e, f, g, h, i, j, k, l) WHERE t.id = a;
    UPDATE product_document AS d SET image = r.image, document = r.document, own_words = NULL
    FROM unnest(ids, images, documents) AS r (id, image, document) WHERE d.id = r.id;
    PERFORM refresh_products(array_agg(id), array_agg(0::bigint), array_agg(0))
    FROM product_list WHERE id = ANY(ids) AND child_revision > 0;
END $$;

-- Digital assets, new or known, given as columns.
CREATE FUNCTION put_assets(
    ids uuid[], organizations uuid[], products uuid[], revisions bigint[], are_primary boolean[],
    are_printable boolean[], createds timestamptz[], words text[], documents text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO asset_list (
        id, organization, product, revision, is_primary, is_printable, created, words, document)
    SELECT a, b, c, d, e, f, g, h::tsvector, i FROM unnest(
        ids, organizations, products, revisions, are_primary, are_printable, createds, words, documents
    ) AS x (a, b, c, d, e, f, g, h, i)
    ON CONFLICT (id) DO UPDATE SET
        revision = excluded.revision, is_primary = excluded.is_primary, document = excluded.document;
END $$;

CREATE FUNCTION drop_assets(gone uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM asset_list WHERE id = ANY(gone);
END $$;

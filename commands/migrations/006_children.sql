-- Which streams belong to a product. What is written to a product's family is decided on it, so no rebuild touches it.
CREATE TABLE child (
    id uuid NOT NULL,
    product uuid NOT NULL,
    kind text NOT NULL,
    CONSTRAINT child_pkey PRIMARY KEY (id)
);
CREATE INDEX child_product_idx ON child (product, id);

CREATE SEQUENCE presence_number;

-- Which form of its tables a projection last built from the log.
CREATE TABLE projection (
    name text NOT NULL,
    version integer NOT NULL,
    CONSTRAINT projection_pkey PRIMARY KEY (name)
);

ALTER TABLE catalogue ADD COLUMN item_count bigint NOT NULL DEFAULT 0;
DROP FUNCTION advance_catalogue;

-- The rows of the old form go: the log makes them anew.
DROP TABLE product_list;
DROP FUNCTION put_products, put_product, drop_product;

-- One row a product: what filters and orders need, short, so that counting reads little. `statuses` has a bit for each
-- status of its items; `child_revision` counts the events of its items and presences, `items_made` its items ever.
CREATE TABLE product_list (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    revision bigint NOT NULL,
    child_revision bigint NOT NULL DEFAULT 0,
    items_made integer NOT NULL DEFAULT 0,
    type text NOT NULL,
    title_key text COLLATE "C",
    artist_key text COLLATE "C",
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    price_override numeric(12, 2),
    price numeric(12, 2),
    total_count integer NOT NULL DEFAULT 0,
    available_count integer NOT NULL DEFAULT 0,
    statuses integer NOT NULL DEFAULT 0,
    listed boolean NOT NULL DEFAULT false,
    redbubble boolean NOT NULL DEFAULT false,
    tags text COLLATE "C" NOT NULL,
    search tsvector NOT NULL
) WITH (fillfactor = 90);

ALTER TABLE product_list ADD CONSTRAINT product_list_pkey PRIMARY KEY (id);
CREATE INDEX product_list_created_idx ON product_list (organization, created DESC, id);
CREATE INDEX product_list_updated_idx ON product_list (organization, updated DESC, id);
CREATE INDEX product_list_title_idx ON product_list (organization, title_key, id);
CREATE INDEX product_list_artist_idx ON product_list (organization, artist_key, id);
CREATE INDEX product_list_price_idx ON product_list (organization, price, id);
CREATE INDEX product_list_total_idx ON product_list (organization, total_count DESC, id)
    INCLUDE (type, available_count, statuses, redbubble);
CREATE INDEX product_list_listed_idx ON product_list (organization, listed, id);
CREATE INDEX product_list_search_idx ON product_list USING gin (search);

-- The answer's object of each product as finished JSON with its holes, in five pieces between bytes 4: the second is
-- the computed price, the fourth runs from the image to Redbubble's presence. `image` is the uploaded one's URL as JSON.
CREATE TABLE product_document (
    id uuid NOT NULL,
    image text,
    document text NOT NULL
) WITH (toast_tuple_target = 8160);
ALTER TABLE product_document ADD CONSTRAINT product_document_pkey PRIMARY KEY (id);

-- One row an item. `status` and `condition` are ranks; `offer` is the price it is for sale at, `photo` its first
-- photo's URL as JSON. `summary` is the object that products nest, without its closing brace; the item's own goes on
-- with `rest` up to the number of days since it was created.
CREATE TABLE inventory_list (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    product uuid NOT NULL,
    number integer NOT NULL,
    revision bigint NOT NULL,
    title_key text COLLATE "C" NOT NULL,
    sku_key text COLLATE "C",
    status smallint NOT NULL,
    condition smallint,
    price numeric(12, 2),
    offer numeric(12, 2),
    is_listed boolean NOT NULL,
    is_available boolean NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    photo text,
    search tsvector NOT NULL,
    summary text NOT NULL,
    rest text NOT NULL
) WITH (toast_tuple_target = 8160);

ALTER TABLE inventory_list ADD CONSTRAINT inventory_list_pkey PRIMARY KEY (id);
CREATE INDEX inventory_list_product_idx ON inventory_list (organization, product, number);
CREATE INDEX inventory_list_created_idx ON inventory_list (organization, created DESC, id);
CREATE INDEX inventory_list_updated_idx ON inventory_list (organization, updated DESC, id);
CREATE INDEX inventory_list_title_idx ON inventory_list (organization, title_key, id);
CREATE INDEX inventory_list_sku_idx ON inventory_list (organization, sku_key, id);
CREATE INDEX inventory_list_status_idx ON inventory_list (organization, status, id);
CREATE INDEX inventory_list_condition_idx ON inventory_list (organization, condition, id);
CREATE INDEX inventory_list_price_idx ON inventory_list (organization, price, id);
CREATE INDEX inventory_list_search_idx ON inventory_list USING gin (search);

-- One row a presence. `image` is a JSON string; `redbubble` is the product's redbubble_presence, null for other platforms.
CREATE TABLE presence_list (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    product uuid NOT NULL,
    number bigint NOT NULL,
    is_nested boolean NOT NULL,
    is_active boolean NOT NULL,
    price numeric(12, 2),
    image text,
    redbubble text,
    document text NOT NULL
) WITH (toast_tuple_target = 8160);
ALTER TABLE presence_list ADD CONSTRAINT presence_list_pkey PRIMARY KEY (id);
CREATE INDEX presence_list_product_idx ON presence_list (organization, product, number);

-- Steps of a write (see the log's). First those that keep a product's family together. What was decided on a state
-- that is no more is refused as 40001, and decided again.
CREATE FUNCTION hold_product(p_product uuid, p_version bigint, p_child_revision bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    held record;
BEGIN
    SELECT revision, child_revision INTO held FROM product_list WHERE id = p_product FOR NO KEY UPDATE;
    IF NOT FOUND OR held.revision <> p_version OR held.child_revision <> p_child_revision THEN
        RAISE EXCEPTION 'product % has moved on', p_product USING ERRCODE = 'serialization_failure';
    END IF;
END $$;

-- A product that is not there yet comes with this very write.
CREATE FUNCTION adopt(p_product uuid, p_child uuid, p_kind text, p_number integer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF p_number IS NOT NULL THEN
        UPDATE product_list SET items_made = p_number WHERE id = p_product AND items_made = p_number - 1;
        IF NOT FOUND AND EXISTS (SELECT FROM product_list WHERE id = p_product) THEN
            RAISE EXCEPTION 'item % of product % is another', p_number, p_product
                USING ERRCODE = 'serialization_failure';
        END IF;
    END IF;
    INSERT INTO child (id, product, kind) VALUES (p_child, p_product, p_kind);
END $$;

CREATE FUNCTION disown(p_children uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM child WHERE id = ANY(p_children);
END $$;

-- What belongs to a product, as of one moment.
CREATE FUNCTION family(p_product uuid)
RETURNS TABLE (child_revision bigint, items_made integer, items uuid[], presences uuid[]) LANGUAGE sql STABLE AS $$
    SELECT l.child_revision, l.items_made,
        coalesce(array_agg(c.id ORDER BY c.id) FILTER (WHERE c.kind = 'inventory'), '{}'),
        coalesce(array_agg(c.id ORDER BY c.id) FILTER (WHERE c.kind = 'presence'), '{}')
    FROM product_list AS l LEFT JOIN child AS c ON c.product = l.id
    WHERE l.id = p_product GROUP BY l.id
$$;

-- A product's document takes what was computed of its family.
CREATE FUNCTION document_with(document text, computed numeric, nested text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT split_part(document, E'\x04', 1) || E'\x04' || coalesce('"' || computed || '"', 'null') || E'\x04'
        || split_part(document, E'\x04', 3) || E'\x04' || nested || E'\x04' || split_part(document, E'\x04', 5)
$$;

-- What the items and presences of a product come to. `nested` is the fourth piece of its document: for a product
-- without any it is the byte that stands for that.
CREATE FUNCTION family_of(p_organization uuid, p_product uuid, p_type text, p_image text)
RETURNS TABLE (
    total_count integer, available_count integer, statuses integer, listed boolean, computed numeric, nested text
) LANGUAGE sql STABLE AS $$
    SELECT i.total, i.available, i.statuses, i.listed > 0 OR p.active > 0, coalesce(i.price, p.price),
        CASE WHEN i.total = 0 AND p.total = 0 THEN
            coalesce(p_image, 'null') || CASE p_type WHEN 'physical' THEN E'\x05' ELSE E'\x06' END
        ELSE
            coalesce(p_image, i.photo, p.image, 'null')
            || ',"total_inventory_count":' || i.total
            || ',"listed_inventory_count":' || i.listed
            || ',"available_inventory_count":' || i.available
            || ',"has_primary_asset":false,"inventory_items":[' || coalesce(i.summaries, '')
            || '],"available_platforms":' || CASE p_type WHEN 'physical' THEN E'\x01' ELSE E'\x02' END
            || ',"marketplace_presences":[' || coalesce(p.documents, '')
            || '],"redbubble_presence":' || coalesce(p.redbubble,
                '{"exists":false,"external_url":null,"external_listing_id":null,"status":null}')
        END
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
            min(price) FILTER (WHERE is_active) AS price,
            (array_agg(image ORDER BY number) FILTER (WHERE image IS NOT NULL))[1] AS image,
            (array_agg(redbubble ORDER BY number DESC) FILTER (WHERE redbubble IS NOT NULL))[1] AS redbubble,
            string_agg(document, ',' ORDER BY number) FILTER (WHERE is_nested) AS documents
        FROM presence_list WHERE organization = p_organization AND product = p_product
    ) AS p
$$;

-- In the order of their ids: two writes that touch the same products cannot wait for each other.
CREATE FUNCTION hold_products(ids uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM product_list WHERE id = ANY(ids) ORDER BY id FOR NO KEY UPDATE;
END $$;

-- Let products show their families as they are now. `moves` are the events of their items and presences, `made` the
-- number of the newest item.
CREATE FUNCTION refresh_products(ids uuid[], moves bigint[], made integer[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM hold_products(ids);
    WITH fresh AS MATERIALIZED (
        SELECT g.*, f.* FROM unnest(ids, moves, made) AS g (id, moved, newest)
        JOIN product_list AS l ON l.id = g.id JOIN product_document AS d ON d.id = g.id
        CROSS JOIN LATERAL family_of(l.organization, l.id, l.type, d.image) AS f
    ), listed AS (
        UPDATE product_list AS l SET child_revision = l.child_revision + f.moved,
            items_made = greatest(l.items_made, f.newest), price = coalesce(l.price_override, f.computed),
            total_count = f.total_count, available_count = f.available_count, statuses = f.statuses, listed = f.listed
        FROM fresh AS f WHERE l.id = f.id
    )
    UPDATE product_document AS d SET document = document_with(d.document, f.computed, f.nested)
    FROM fresh AS f WHERE d.id = f.id;
END $$;

CREATE FUNCTION advance_catalogue(of uuid, products bigint, items bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE catalogue SET revision = revision + 1, product_count = product_count + products,
        item_count = item_count + items
    WHERE organization = of;
    IF NOT FOUND THEN
        INSERT INTO catalogue AS t (organization, revision, product_count, item_count) VALUES (of, 1, products, items)
        ON CONFLICT (organization) DO UPDATE SET revision = t.revision + 1,
            product_count = t.product_count + excluded.product_count, item_count = t.item_count + excluded.item_count;
    END IF;
END $$;

-- One new product, with what it does to its organization's counters; new ones given as columns.
CREATE FUNCTION add_product(
    p_id uuid, p_organization uuid, p_revision bigint, p_type text, p_title_key text, p_artist_key text,
    p_created timestamptz, p_updated timestamptz, p_price numeric, p_tags text, p_search text, p_image text,
    p_document text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO product_list (
        id, organization, revision, type, title_key, artist_key, created, updated, price_override, price, tags, search)
    VALUES (
        p_id, p_organization, p_revision, p_type, p_title_key, p_artist_key, p_created, p_updated, p_price, p_price,
        p_tags, p_search::tsvector);
    INSERT INTO product_document (id, image, document) VALUES (p_id, p_image, p_document);
    PERFORM advance_catalogue(p_organization, 1, 0);
END $$;

CREATE FUNCTION add_products(
    ids uuid[], organizations uuid[], revisions bigint[], types text[], title_keys text[], artist_keys text[],
    createds timestamptz[], updateds timestamptz[], prices numeric[], tag_lines text[], searches text[],
    images text[], documents text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO product_list (
        id, organization, revision, type, title_key, artist_key, created, updated, price_override, price, tags, search)
    SELECT a, b, c, d, e, f, g, h, i, i, j, k::tsvector FROM unnest(
        ids, organizations, revisions, types, title_keys, artist_keys, createds, updateds, prices, tag_lines, searches
    ) AS r (a, b, c, d, e, f, g, h, i, j, k);
    INSERT INTO product_document (id, image, document) SELECT * FROM unnest(ids, images, documents);
END $$;

-- New ones that come with items and presences, whose rows are there already. `moves` and `made` as in refresh_products.
CREATE FUNCTION add_families(
    ids uuid[], organizations uuid[], revisions bigint[], types text[], title_keys text[], artist_keys text[],
    createds timestamptz[], updateds timestamptz[], prices numeric[], tag_lines text[], searches text[],
    images text[], documents text[], moves bigint[], made integer[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH family AS MATERIALIZED (
        SELECT r.*, f.* FROM unnest(
            ids, organizations, revisions, types, title_keys, artist_keys, createds, updateds, prices, tag_lines,
            searches, images, documents, moves, made
        ) AS r (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o) CROSS JOIN LATERAL family_of(b, a, d, l) AS f
    ), listed AS (
        INSERT INTO product_list (
            id, organization, revision, type, title_key, artist_key, created, updated, price_override, price, tags,
            search, child_revision, items_made, total_count, available_count, statuses, listed)
        SELECT a, b, c, d, e, f, g, h, i, coalesce(i, computed), j, k::tsvector, n, o, total_count, available_count,
            statuses, listed
        FROM family
    )
    INSERT INTO product_document (id, image, document)
    SELECT a, l, document_with(m, computed, nested) FROM family;
END $$;

-- One product as it is now; known ones given as columns. Those that have a family show it as before.
CREATE FUNCTION put_product(
    p_id uuid, p_organization uuid, p_revision bigint, p_type text, p_title_key text, p_artist_key text,
    p_created timestamptz, p_updated timestamptz, p_price numeric, p_tags text, p_search text, p_image text,
    p_document text
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    family bigint;
BEGIN
    UPDATE product_list SET
        revision = p_revision, title_key = p_title_key, artist_key = p_artist_key, updated = p_updated,
        price_override = p_price, price = p_price, tags = p_tags, search = p_search::tsvector
    WHERE id = p_id RETURNING child_revision INTO family;
    UPDATE product_document SET image = p_image, document = p_document WHERE id = p_id;
    IF family > 0 THEN
        PERFORM refresh_products(ARRAY[p_id], ARRAY[0::bigint], ARRAY[0]);
    END IF;
END $$;

CREATE FUNCTION put_products(
    ids uuid[], organizations uuid[], revisions bigint[], types text[], title_keys text[], artist_keys text[],
    createds timestamptz[], updateds timestamptz[], prices numeric[], tag_lines text[], searches text[],
    images text[], documents text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM hold_products(ids);
    UPDATE product_list AS l SET
        revision = c, title_key = e, artist_key = f, updated = h, price_override = i, price = i, tags = j,
        search = k::tsvector
    FROM unnest(
        ids, organizations, revisions, types, title_keys, artist_keys, createds, updateds, prices, tag_lines, searches
    ) AS r (a, b, c, d, e, f, g, h, i, j, k) WHERE l.id = a;
    UPDATE product_document AS d SET image = r.image, document = r.document
    FROM unnest(ids, images, documents) AS r (id, image, document) WHERE d.id = r.id;
    PERFORM refresh_products(array_agg(id), array_agg(0::bigint), array_agg(0))
    FROM product_list WHERE id = ANY(ids) AND child_revision > 0;
END $$;

CREATE FUNCTION drop_products(gone uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM product_list WHERE id = ANY(gone);
    DELETE FROM product_document WHERE id = ANY(gone);
END $$;

-- Items, new or known, given as columns.
CREATE FUNCTION put_items(
    ids uuid[], organizations uuid[], products uuid[], numbers integer[], revisions bigint[], title_keys text[],
    sku_keys text[], statuses smallint[], conditions smallint[], prices numeric[], offers numeric[],
    are_listed boolean[], are_available boolean[], createds timestamptz[], updateds timestamptz[], photos text[],
    searches text[], summaries text[], rests text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO inventory_list (
        id, organization, product, number, revision, title_key, sku_key, status, condition, price, offer,
        is_listed, is_available, created, updated, photo, search, summary, rest)
    SELECT a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q::tsvector, r, s FROM unnest(
        ids, organizations, products, numbers, revisions, title_keys, sku_keys, statuses, conditions, prices, offers, are_listed, are_available, createds, updateds, photos, searches, summaries, rests
    ) AS x (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s)
    ON CONFLICT (id) DO UPDATE SET
        revision = excluded.revision, title_key = excluded.title_key,
        sku_key = excluded.sku_key, status = excluded.status, condition = excluded.condition, price = excluded.price, offer = excluded.offer,
        is_listed = excluded.is_listed, is_available = excluded.is_available, updated = excluded.updated,
        photo = excluded.photo, search = excluded.search, summary = excluded.summary, rest = excluded.rest;
END $$;

CREATE FUNCTION drop_items(gone uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM inventory_list WHERE id = ANY(gone);
END $$;

-- Presences, new or known, given as columns.
CREATE FUNCTION put_presences(
    ids uuid[], organizations uuid[], products uuid[], numbers bigint[], are_nested boolean[], are_active boolean[],
    prices numeric[], images text[], redbubbles text[], documents text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO presence_list (
        id, organization, product, number, is_nested, is_active, price, image, redbubble, document)
    SELECT * FROM unnest(
        ids, organizations, products, numbers, are_nested, are_active, prices, images, redbubbles, documents)
    ON CONFLICT (id) DO UPDATE SET
        is_nested = excluded.is_nested, is_active = excluded.is_active, price = excluded.price,
        image = excluded.image, redbubble = excluded.redbubble, document = excluded.document;
END $$;

CREATE FUNCTION drop_presences(gone uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM presence_list WHERE id = ANY(gone);
END $$;

-- As bind_receipt, with the product's document as this write leaves it.
CREATE FUNCTION bind_product_receipt(
    of uuid, named text, request bytea, status smallint, headers text, product uuid
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM bind_receipt(of, named, request, status, headers, document) FROM product_document WHERE id = product;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no document of product %', product;
    END IF;
END $$;

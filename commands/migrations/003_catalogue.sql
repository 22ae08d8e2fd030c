-- One row an organization: its revision moves with every write to what its lists show, and its products are counted.
CREATE TABLE catalogue (
    organization uuid PRIMARY KEY,
    revision bigint NOT NULL,
    product_count bigint NOT NULL
) WITH (
    fillfactor = 50,
    autovacuum_vacuum_threshold = 200,
    autovacuum_vacuum_scale_factor = 0
);

-- One row a product: what filters and orders need, and the answer's object as finished JSON.
CREATE TABLE product_list (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    revision bigint NOT NULL,
    type text NOT NULL,
    title_key text COLLATE "C",
    artist_key text COLLATE "C",
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    price numeric(12, 2),
    total_count integer NOT NULL,
    listed_count integer NOT NULL,
    available_count integer NOT NULL,
    listed boolean NOT NULL,
    redbubble boolean NOT NULL,
    statuses text[] NOT NULL,
    tags text COLLATE "C" NOT NULL,
    search tsvector NOT NULL,
    document text NOT NULL
) WITH (toast_tuple_target = 8160);

ALTER TABLE product_list ADD CONSTRAINT product_list_pkey PRIMARY KEY (id);
CREATE INDEX product_list_created_idx ON product_list (organization, created DESC, id);
CREATE INDEX product_list_updated_idx ON product_list (organization, updated DESC, id);
CREATE INDEX product_list_title_idx ON product_list (organization, title_key, id);
CREATE INDEX product_list_artist_idx ON product_list (organization, artist_key, id);
CREATE INDEX product_list_price_idx ON product_list (organization, price, id);
CREATE INDEX product_list_search_idx ON product_list USING gin (search);

-- Steps of a write (see the log's): one product, new or known; and many, given as columns.
CREATE FUNCTION put_product(
    p_id uuid, p_organization uuid, p_revision bigint, p_type text, p_title_key text, p_artist_key text,
    p_created timestamptz, p_updated timestamptz, p_price numeric, p_tags text, p_search text, p_document text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO product_list (
        id, organization, revision, type, title_key, artist_key, created, updated, price,
        total_count, listed_count, available_count, listed, redbubble, statuses, tags, search, document)
    VALUES (
        p_id, p_organization, p_revision, p_type, p_title_key, p_artist_key, p_created, p_updated, p_price,
        0, 0, 0, false, false, '{}', p_tags, p_search::tsvector, p_document)
    ON CONFLICT (id) DO UPDATE SET
        revision = excluded.revision, type = excluded.type, title_key = excluded.title_key,
        artist_key = excluded.artist_key, updated = excluded.updated, price = excluded.price, tags = excluded.tags,
        search = excluded.search, document = excluded.document;
END $$;

CREATE FUNCTION put_products(
    ids uuid[], organizations uuid[], revisions bigint[], types text[], title_keys text[], artist_keys text[],
    createds timestamptz[], updateds timestamptz[], prices numeric[], tag_lines text[], searches text[],
    documents text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM put_product(a, b, c, d, e, f, g, h, i, j, k, l) FROM unnest(
        ids, organizations, revisions, types, title_keys, artist_keys, createds, updateds, prices, tag_lines,
        searches, documents
    ) AS r (a, b, c, d, e, f, g, h, i, j, k, l);
END $$;

CREATE FUNCTION drop_product(gone uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM product_list WHERE id = gone;
END $$;

CREATE FUNCTION advance_catalogue(of uuid, growth bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE catalogue SET revision = revision + 1, product_count = product_count + growth WHERE organization = of;
    IF NOT FOUND THEN
        INSERT INTO catalogue AS t (organization, revision, product_count) VALUES (of, 1, growth)
        ON CONFLICT (organization) DO UPDATE
        SET revision = t.revision + 1, product_count = t.product_count + excluded.product_count;
    END IF;
END $$;

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

-- One row a purchase: what filters and orders need, its state, and the answer's object as finished JSON, whose holes
-- its buyer and the address and token of its link fill.
CREATE TABLE purchase_list (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    revision bigint NOT NULL,
    product uuid NOT NULL,
    buyer uuid NOT NULL,
    status text NOT NULL,
    created timestamptz NOT NULL,
    token_digest bytea NOT NULL,
    state text NOT NULL,
    document text NOT NULL,
    CONSTRAINT purchase_list_pkey PRIMARY KEY (id)
) WITH (
    fillfactor = 80,
    autovacuum_vacuum_threshold = 200,
    autovacuum_vacuum_scale_factor = 0.05
);
CREATE UNIQUE INDEX purchase_list_token_idx ON purchase_list (token_digest);
CREATE INDEX purchase_list_created_idx ON purchase_list (organization, created DESC, id);
CREATE INDEX purchase_list_product_idx ON purchase_list (organization, product, created DESC, id);
CREATE INDEX purchase_list_buyer_idx ON purchase_list (buyer);

-- Who bought. This is all that is known of a person: no event, no other table and no log line holds it, and no rebuild
-- touches it. `email_key` is the address as it is compared.
CREATE TABLE buyer (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    email text NOT NULL,
    email_key text COLLATE "C" NOT NULL,
    name text,
    CONSTRAINT buyer_pkey PRIMARY KEY (id)
);
CREATE INDEX buyer_email_idx ON buyer (email_key, organization);

-- Where answers to an organization's mails go.
CREATE TABLE sender (
    organization uuid NOT NULL,
    reply_to text NOT NULL,
    CONSTRAINT sender_pkey PRIMARY KEY (organization)
);

-- Steps of a write (see the log's).
CREATE FUNCTION put_purchase(
    purchase_id uuid, of uuid, new_revision bigint, of_product uuid, of_buyer uuid, new_status text, at timestamptz,
    digest bytea, new_state text, new_document text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO purchase_list AS t (
        id, organization, revision, product, buyer, status, created, token_digest, state, document)
    VALUES (purchase_id, of, new_revision, of_product, of_buyer, new_status, at, digest, new_state, new_document)
    ON CONFLICT (id) DO UPDATE SET
        organization = excluded.organization, revision = excluded.revision, product = excluded.product,
        buyer = excluded.buyer, status = excluded.status, created = excluded.created,
        token_digest = excluded.token_digest, state = excluded.state, document = excluded.document;
END $$;

CREATE FUNCTION put_buyer(buyer_id uuid, of uuid, new_email text, new_key text, new_name text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO buyer (id, organization, email, email_key, name) VALUES (buyer_id, of, new_email, new_key, new_name);
END $$;

CREATE FUNCTION put_sender(of uuid, address text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF address IS NULL THEN
        DELETE FROM sender WHERE organization = of;
    ELSE
        INSERT INTO sender (organization, reply_to) VALUES (of, address)
        ON CONFLICT (organization) DO UPDATE SET reply_to = excluded.reply_to;
    END IF;
END $$;

-- What the downloads of some purchases tell of a person goes; there is nothing yet that does.
CREATE FUNCTION forget_downloads(purchases uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
END $$;

CREATE FUNCTION forget_buyer(purchase uuid, buyer_id uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM buyer WHERE id = buyer_id;
    PERFORM forget_downloads(ARRAY[purchase]);
END $$;

-- A stored document with who bought as it is known now, or null where that was erased.
CREATE FUNCTION with_buyer(document text, of_buyer uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT replace(replace(document, E'\x0e', coalesce(to_json(b.email)::text, 'null')),
        E'\x0f', coalesce(to_json(b.name)::text, 'null'))
    FROM (SELECT of_buyer) AS wanted LEFT JOIN buyer AS b ON b.id = wanted.of_buyer
$$;

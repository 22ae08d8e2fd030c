-- Reference rates: units of a currency for one euro, of each day that was fetched. The euro is among them, at 1.
CREATE TABLE rate (
    currency text NOT NULL,
    day date NOT NULL,
    per_euro numeric NOT NULL,
    CONSTRAINT rate_pkey PRIMARY KEY (currency, day),
    CONSTRAINT rate_per_euro_check CHECK (per_euro > 0 AND per_euro < 1e12)
);

-- One row: where the rates last came from and when, and why the last attempt failed; null where it did not.
CREATE TABLE rate_source (
    is_only boolean NOT NULL DEFAULT true CHECK (is_only),
    source text,
    fetched timestamptz,
    tried timestamptz NOT NULL,
    error text,
    CONSTRAINT rate_source_pkey PRIMARY KEY (is_only)
);

-- Presences whose price in USD is computed, with the day of its rate; null where there is none that may be told.
CREATE TABLE conversion (
    presence uuid NOT NULL,
    organization uuid NOT NULL,
    product uuid NOT NULL,
    currency text NOT NULL,
    day date,
    CONSTRAINT conversion_pkey PRIMARY KEY (presence)
) WITH (fillfactor = 80);
CREATE INDEX conversion_day_idx ON conversion (day, presence);
CREATE INDEX conversion_none_idx ON conversion (currency, presence) WHERE day IS NULL;

-- Steps of a write (see the log's). Presences given as columns.
CREATE FUNCTION put_conversions(
    presences uuid[], organizations uuid[], products uuid[], currencies text[], days date[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO conversion (presence, organization, product, currency, day)
    SELECT * FROM unnest(presences, organizations, products, currencies, days)
    ON CONFLICT (presence) DO UPDATE SET currency = excluded.currency, day = excluded.day;
END $$;

CREATE FUNCTION drop_conversions(gone uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM conversion WHERE presence = ANY(gone);
END $$;

-- Prices that no rate was known for until now.
INSERT INTO conversion (presence, organization, product, currency)
SELECT id, organization, product, shown ->> 'listing_currency'
FROM presence_list CROSS JOIN LATERAL (SELECT document::jsonb) AS d (shown)
WHERE shown ->> 'listing_currency' <> 'USD' AND shown ->> 'listing_price' IS NOT NULL
  AND shown ->> 'listing_price_usd' IS NULL;

-- One row a connection to a marketplace: the answer's object as finished JSON.
CREATE TABLE connection_list (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    revision bigint NOT NULL,
    platform text NOT NULL,
    created timestamptz NOT NULL,
    document text NOT NULL,
    CONSTRAINT connection_list_pkey PRIMARY KEY (id)
) WITH (fillfactor = 70);
CREATE INDEX connection_list_created_idx ON connection_list (organization, created, id);

-- What opens its account, sealed. Not in the log: this is the only place that has it.
CREATE TABLE credential (
    connection uuid NOT NULL,
    organization uuid NOT NULL,
    sealed bytea NOT NULL,
    CONSTRAINT credential_pkey PRIMARY KEY (connection)
);

-- Sellers who were sent to a platform's page and are expected back. Each state works once.
CREATE TABLE consent (
    state_digest bytea NOT NULL,
    connection uuid NOT NULL,
    organization uuid NOT NULL,
    until timestamptz NOT NULL,
    CONSTRAINT consent_pkey PRIMARY KEY (state_digest)
);
CREATE INDEX consent_connection_idx ON consent (connection);

CREATE FUNCTION put_connection(
    connection_id uuid, of uuid, new_revision bigint, of_platform text, at timestamptz, new_document text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO connection_list (id, organization, revision, platform, created, document)
    VALUES (connection_id, of, new_revision, of_platform, at, new_document)
    ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, document = excluded.document;
END $$;

CREATE FUNCTION drop_connection(gone uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM connection_list WHERE id = gone;
    DELETE FROM credential WHERE connection = gone;
    DELETE FROM consent WHERE connection = gone;
END $$;

CREATE FUNCTION put_credential(of_connection uuid, of uuid, new_sealed bytea) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO credential (connection, organization, sealed) VALUES (of_connection, of, new_sealed)
    ON CONFLICT (connection) DO UPDATE SET sealed = excluded.sealed;
END $$;

CREATE FUNCTION begin_consent(digest bytea, of_connection uuid, of uuid, ends timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM consent WHERE connection = of_connection AND until < now();
    INSERT INTO consent (state_digest, connection, organization, until) VALUES (digest, of_connection, of, ends);
END $$;

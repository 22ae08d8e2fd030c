CREATE TABLE organization (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    created timestamptz NOT NULL
);

CREATE TABLE api_key (
    id uuid PRIMARY KEY,
    organization uuid NOT NULL,
    name text NOT NULL,
    scopes text[] NOT NULL,
    digest bytea NOT NULL,
    prefix text NOT NULL,
    created timestamptz NOT NULL,
    revoked timestamptz
);
CREATE UNIQUE INDEX api_key_digest_idx ON api_key (digest);
CREATE INDEX api_key_organization_idx ON api_key (organization, created);

-- When a key was last seen, to the minute; not a fact of the log.
CREATE TABLE api_key_use (
    id uuid PRIMARY KEY,
    used timestamptz NOT NULL
) WITH (fillfactor = 70);

-- Steps of a write (see the log's).
CREATE FUNCTION put_organization(new_id uuid, new_name text, at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO organization (id, name, created) VALUES (new_id, new_name, at) ON CONFLICT (id) DO NOTHING;
    -- Its counters, so that every key finds a row.
    INSERT INTO catalogue (organization, revision, product_count) VALUES (new_id, 0, 0) ON CONFLICT DO NOTHING;
END $$;

CREATE FUNCTION put_api_key(
    key_id uuid, of uuid, key_name text, key_scopes text[], key_digest bytea, key_prefix text, at timestamptz,
    ended timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO api_key (id, organization, name, scopes, digest, prefix, created, revoked)
    VALUES (key_id, of, key_name, key_scopes, key_digest, key_prefix, at, ended)
    ON CONFLICT (id) DO UPDATE
    SET name = excluded.name, scopes = excluded.scopes, digest = excluded.digest, prefix = excluded.prefix,
        revoked = excluded.revoked;
END $$;

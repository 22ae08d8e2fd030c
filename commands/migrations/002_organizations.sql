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

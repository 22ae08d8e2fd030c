-- When a projection's tables were last made anew, and up to where in the log; null where they never were.
ALTER TABLE projection ADD position bigint, ADD built timestamptz;

-- Streams with an event that whoever met it could not fold, and which: nothing is decided on them until that can be.
CREATE TABLE parked (
    stream uuid NOT NULL,
    position bigint NOT NULL,
    topic text NOT NULL,
    reason text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT parked_pkey PRIMARY KEY (stream)
);

-- Whether it is the first to say so.
CREATE FUNCTION park_stream(of_stream uuid, at bigint, named text, because text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO parked (stream, position, topic, reason) VALUES (of_stream, at, named, because)
    ON CONFLICT (stream) DO NOTHING;
    RETURN FOUND;
END $$;

-- A rebuild asks which listings were checked since it asked before.
CREATE INDEX listing_checked_idx ON listing (checked);

-- What a rebuild that was broken off left behind before rebuilds were gone on with.
DROP SCHEMA IF EXISTS rebuilt CASCADE;

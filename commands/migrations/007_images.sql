-- One row a picture in the bucket. `free_since` says since when nothing shows it, null while something does; `doomed`
-- when the collector took it: from then on nothing may show it again. The sizes are those of the small ones in bytes,
-- null until a worker has made them; `error` says why none will.
CREATE TABLE image (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    token text NOT NULL,
    blob text NOT NULL,
    content_type text NOT NULL,
    size_bytes bigint NOT NULL,
    small_bytes integer,
    large_bytes integer,
    attempts smallint NOT NULL DEFAULT 0,
    error text,
    free_since timestamptz,
    doomed timestamptz,
    CONSTRAINT image_pkey PRIMARY KEY (id)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX image_token_idx ON image (token);
CREATE INDEX image_free_idx ON image (free_since) WHERE free_since IS NOT NULL AND doomed IS NULL;
CREATE INDEX image_doomed_idx ON image (doomed) WHERE doomed IS NOT NULL;
CREATE INDEX image_failed_idx ON image (organization) WHERE error IS NOT NULL;

-- Before a picture goes into the bucket: what comes to nothing after that is collected.
CREATE FUNCTION announce_image(
    image_id uuid, of uuid, new_token text, new_blob text, new_type text, new_bytes bigint
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO image (id, organization, token, blob, content_type, size_bytes, free_since)
    VALUES (image_id, of, new_token, new_blob, new_type, new_bytes, now());
END $$;

-- Steps of a write (see the log's). One that the collector took in between is refused, and with it the write.
CREATE FUNCTION show_image(
    image_id uuid, of uuid, new_token text, new_blob text, new_type text, new_bytes bigint
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO image AS t (id, organization, token, blob, content_type, size_bytes)
    VALUES (image_id, of, new_token, new_blob, new_type, new_bytes)
    ON CONFLICT (id) DO UPDATE SET free_since = NULL WHERE t.doomed IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'image % was collected', image_id USING ERRCODE = 'serialization_failure';
    END IF;
END $$;

CREATE FUNCTION free_images(ids uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE image SET free_since = now() WHERE id = ANY(ids);
    DELETE FROM todo WHERE subject = ANY(ids);
END $$;

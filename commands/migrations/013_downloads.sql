-- One row a counted download: a file of a purchase that somebody at an address began within half an hour. `covered` is
-- which bytes of the file were sent, in however many requests; once it is all of them the download is completed.
-- Address and user agent are about a person: no event holds them, no rebuild touches them, and they can be forgotten.
CREATE TABLE download (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    purchase uuid NOT NULL,
    asset uuid NOT NULL,
    filename text NOT NULL,
    size_bytes bigint NOT NULL,
    ip text,
    user_agent text,
    started timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    bytes_sent bigint NOT NULL DEFAULT 0,
    covered int8multirange NOT NULL DEFAULT '{}',
    completed boolean NOT NULL DEFAULT false,
    CONSTRAINT download_pkey PRIMARY KEY (id)
) WITH (fillfactor = 80);
CREATE INDEX download_purchase_idx ON download (purchase, started DESC, id DESC);
CREATE INDEX download_ip_idx ON download (purchase, ip, started);

-- Which files of a purchase an address has begun since then, and with which download.
CREATE FUNCTION downloads_since(of_purchase uuid, from_ip text, since timestamptz)
RETURNS TABLE (asset uuid, id uuid) LANGUAGE sql STABLE AS $$
    SELECT DISTINCT ON (d.asset) d.asset, d.id FROM download AS d
    WHERE d.purchase = of_purchase AND d.ip = from_ip AND d.started > since ORDER BY d.asset, d.started DESC, d.id DESC
$$;

-- Steps of a write (see the log's).
CREATE FUNCTION open_downloads(
    of_purchase uuid, of uuid, ids uuid[], assets uuid[], filenames text[], sizes bigint[], from_ip text, agent text,
    at timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO download (
        id, organization, purchase, asset, filename, size_bytes, ip, user_agent, started, last_seen)
    SELECT a, of, of_purchase, b, c, d, from_ip, agent, at, at
    FROM unnest(ids, assets, filenames, sizes) AS r (a, b, c, d);
END $$;

-- After bytes of the file, from `first` up to and without `past`, went to the client. Whoever fetches it in more pieces
-- than anybody needs is not followed any further.
CREATE FUNCTION note_sent(download_id uuid, first bigint, past bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE download AS d SET
        bytes_sent = d.bytes_sent + past - first,
        last_seen = greatest(d.last_seen, now()),
        covered = CASE WHEN d.completed OR (SELECT count(*) FROM unnest(d.covered)) >= 1000 THEN d.covered
            ELSE d.covered + int8multirange(int8range(first, past)) END,
        completed = d.completed OR d.covered + int8multirange(int8range(first, past)) @> int8range(0, d.size_bytes)
    WHERE d.id = download_id;
END $$;

CREATE OR REPLACE FUNCTION forget_downloads(purchases uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE download SET ip = NULL, user_agent = NULL WHERE purchase = ANY(purchases);
END $$;

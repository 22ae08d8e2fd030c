-- What is asked of a connection while its listings are kept in step, as its document has it.
ALTER TABLE connection_list
    ADD COLUMN status text GENERATED ALWAYS AS (document::jsonb ->> 'status') STORED,
    ADD COLUMN interval_minutes integer
        GENERATED ALWAYS AS ((document::jsonb ->> 'interval_minutes')::integer) STORED,
    ADD COLUMN push_prices boolean GENERATED ALWAYS AS ((document::jsonb ->> 'push_prices')::boolean) STORED,
    ADD COLUMN auto_delist boolean GENERATED ALWAYS AS ((document::jsonb ->> 'auto_delist')::boolean) STORED,
    ADD COLUMN markup_percent integer GENERATED ALWAYS AS ((document::jsonb ->> 'markup_percent')::integer) STORED;

-- One row a presence that names a listing of a platform that can be asked. `version`, `status`, `price`, `currency` and
-- `is_enabled` are the presence's, so that what a check finds is compared without its stream. `due` is the next check,
-- null once the listing is over; `checked` is no fact of the log, so no rebuild touches this table.
-- What is wanted of it: `push_basis` says which price it is to be told, null where none is, `push_number` counts those;
-- `end_wanted` is the order that it is to end for, empty where somebody said that it is sold.
CREATE TABLE listing (
    presence uuid NOT NULL,
    organization uuid NOT NULL,
    product uuid NOT NULL,
    platform text NOT NULL,
    external_id text NOT NULL,
    version bigint NOT NULL,
    status text NOT NULL,
    price numeric,
    currency text NOT NULL,
    is_enabled boolean NOT NULL,
    due timestamptz,
    checked timestamptz,
    reference jsonb,
    push_number bigint NOT NULL DEFAULT 0,
    push_basis text,
    end_wanted text,
    CONSTRAINT listing_pkey PRIMARY KEY (presence),
    CONSTRAINT listing_push_basis_check CHECK (push_basis IN ('listing', 'rule'))
) WITH (fillfactor = 70);
CREATE INDEX listing_due_idx ON listing (organization, platform, due) WHERE is_enabled AND due IS NOT NULL;
CREATE INDEX listing_external_idx ON listing (organization, platform, external_id);
CREATE INDEX listing_product_idx ON listing (product);
CREATE INDEX listing_wanted_idx ON listing (organization, platform)
    WHERE push_basis IS NOT NULL OR end_wanted IS NOT NULL;

-- How far a connection's orders were read: those that moved before `since` are known. `checked` is when they were last
-- asked for, null where they are to be asked for at once; `hints` counts who said so. `round` is what `todo` calls its
-- rounds of checks.
CREATE TABLE order_cursor (
    connection uuid NOT NULL,
    organization uuid NOT NULL,
    platform text NOT NULL,
    round uuid NOT NULL,
    since timestamptz NOT NULL,
    checked timestamptz,
    hints bigint NOT NULL DEFAULT 0,
    CONSTRAINT order_cursor_pkey PRIMARY KEY (connection)
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX order_cursor_round_idx ON order_cursor (round);

-- The newest check of a product's presences, which its document shows and its ETag ends with.
ALTER TABLE product_document ADD COLUMN checked timestamptz;

-- As the documents spell a time.
CREATE FUNCTION spelled(at timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
        || CASE WHEN extract(microseconds FROM at)::bigint % 1000000 = 0 THEN ''
            ELSE to_char(at AT TIME ZONE 'UTC', '"."US') END || 'Z'
$$;

-- A presence's document as of a check. Within a string the name's quotes would be escaped.
CREATE FUNCTION with_checked(document text, at timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN at IS NULL THEN document ELSE
        regexp_replace(document, '"last_checked_at":(null|"[^"]*")', '"last_checked_at":"' || spelled(at) || '"') END
$$;

-- Where in an interval a listing has its place: the same every time, and spread evenly.
CREATE FUNCTION place_of(presence uuid) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
    SELECT ('x' || right(replace(presence::text, '-', ''), 8))::bit(32)::bigint / 4294967296.0
$$;

-- As in 006, with the newest check.
CREATE OR REPLACE FUNCTION put_presences(
    ids uuid[], organizations uuid[], products uuid[], numbers bigint[], are_nested boolean[], are_active boolean[],
    prices numeric[], images text[], redbubbles text[], documents text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO presence_list (
        id, organization, product, number, is_nested, is_active, price, image, redbubble, document)
    SELECT r.a, r.b, r.c, r.d, r.e, r.f, r.g, r.h, r.i, with_checked(r.j, l.checked)
    FROM unnest(ids, organizations, products, numbers, are_nested, are_active, prices, images, redbubbles, documents)
        AS r (a, b, c, d, e, f, g, h, i, j) LEFT JOIN listing AS l ON l.presence = r.a
    ON CONFLICT (id) DO UPDATE SET
        is_nested = excluded.is_nested, is_active = excluded.is_active, price = excluded.price,
        image = excluded.image, redbubble = excluded.redbubble, document = excluded.document;
END $$;

-- Let documents of presences and of their products say when these listings were checked.
CREATE FUNCTION show_checks(shown uuid[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    one record;
BEGIN
    FOR one IN
        SELECT l.presence, l.product, l.checked, p.is_nested, p.document AS old,
            with_checked(p.document, l.checked) AS fresh
        FROM listing AS l JOIN presence_list AS p ON p.id = l.presence
        WHERE l.presence = ANY(shown) AND l.checked IS NOT NULL ORDER BY l.product, l.presence
    LOOP
        UPDATE presence_list SET document = one.fresh WHERE id = one.presence;
        UPDATE product_document SET
            document = CASE WHEN one.is_nested THEN replace(document, one.old, one.fresh) ELSE document END,
            checked = (SELECT max(checked) FROM listing WHERE product = one.product)
        WHERE id = one.product;
    END LOOP;
END $$;

-- Let products whose listings went or became others know the newest check that is left.
CREATE FUNCTION note_newest_checks(products uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE product_document AS d SET checked = n.checked
    FROM unnest(products) AS g (product)
    CROSS JOIN LATERAL (SELECT max(l.checked) AS checked FROM listing AS l WHERE l.product = g.product) AS n
    WHERE d.id = g.product AND d.checked IS DISTINCT FROM n.checked;
END $$;

-- Let tables that were made anew from the log show what is known beside it: checks since then, all without a then.
CREATE FUNCTION apply_checks(since timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM show_checks(ARRAY(
        SELECT presence FROM listing WHERE checked IS NOT NULL AND (since IS NULL OR checked >= since)));
END $$;

-- Listings that nothing is wanted of any more leave the list. Their leases stay until they are given back or run out: who
-- is asking a marketplace is not to be overtaken by who asks next. Each is looked up by its id: a join might walk the list
-- of all that is wanted for each, which a plan that was made while there was little thinks is short.
CREATE FUNCTION settle_wants(of_presences uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM todo AS t WHERE t.subject = ANY(of_presences) AND t.kind = 'listing' AND coalesce((
        SELECT l.push_basis IS NULL AND l.end_wanted IS NULL FROM listing AS l WHERE l.presence = t.subject), true);
END $$;

-- Rounds begin no later than the first of their listings is due.
CREATE FUNCTION hasten_rounds(of_presences uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE todo AS t SET due = f.due FROM (
        SELECT o.round, min(l.due) AS due FROM listing AS l
        JOIN order_cursor AS o ON o.organization = l.organization AND o.platform = l.platform
        WHERE l.presence = ANY(of_presences) AND l.is_enabled AND l.due IS NOT NULL GROUP BY o.round
    ) AS f WHERE t.subject = f.round AND t.due > f.due AND t.dead_since IS NULL;
END $$;

-- Steps of a write (see the log's). Listings given as columns. One that became another begins anew.
CREATE FUNCTION put_listings(
    presences uuid[], organizations uuid[], products uuid[], platforms text[], external_ids text[], versions bigint[],
    statuses text[], prices numeric[], currencies text[], are_enabled boolean[], are_over boolean[],
    times timestamptz[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO listing AS known (
        presence, organization, product, platform, external_id, version, status, price, currency, is_enabled, due)
    SELECT a, b, c, d, e, f, g, h, i, j, CASE WHEN NOT k THEN
        m + coalesce(s.interval_minutes, 60) * place_of(a) * interval '1 minute' END
    FROM unnest(
        presences, organizations, products, platforms, external_ids, versions, statuses, prices, currencies,
        are_enabled, are_over, times
    ) AS r (a, b, c, d, e, f, g, h, i, j, k, m)
    LEFT JOIN connection_list AS s ON s.organization = r.b AND s.platform = r.d
    ORDER BY a
    ON CONFLICT (presence) DO UPDATE SET
        platform = excluded.platform, external_id = excluded.external_id, version = excluded.version,
        status = excluded.status, price = excluded.price, currency = excluded.currency,
        is_enabled = excluded.is_enabled,
        due = CASE WHEN known.platform = excluded.platform AND known.external_id = excluded.external_id
            AND known.due IS NOT NULL AND excluded.due IS NOT NULL AND (known.is_enabled OR NOT excluded.is_enabled)
            THEN known.due ELSE excluded.due END,
        checked = CASE WHEN known.platform = excluded.platform AND known.external_id = excluded.external_id
            THEN known.checked END,
        reference = CASE WHEN known.platform = excluded.platform AND known.external_id = excluded.external_id
            THEN known.reference END,
        push_basis = CASE WHEN known.platform = excluded.platform AND known.external_id = excluded.external_id
            AND excluded.due IS NOT NULL AND excluded.is_enabled THEN known.push_basis END,
        end_wanted = CASE WHEN known.platform = excluded.platform AND known.external_id = excluded.external_id
            AND excluded.due IS NOT NULL AND excluded.is_enabled THEN known.end_wanted END;
    PERFORM note_newest_checks(products);
    PERFORM settle_wants(presences);
    PERFORM hasten_rounds(presences);
END $$;

CREATE FUNCTION drop_listings(gone uuid[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    of_products uuid[];
BEGIN
    WITH dropped AS (DELETE FROM listing WHERE presence = ANY(gone) RETURNING product)
    SELECT array_agg(DISTINCT product) INTO of_products FROM dropped;
    PERFORM note_newest_checks(of_products);
    PERFORM settle_wants(gone);
END $$;

-- The next check is a little less than an interval away, so that what was due together drifts apart, and who has to
-- wait for its turn is checked within the interval all the same.
CREATE FUNCTION next_check(at timestamptz, minutes integer) RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT at + coalesce(minutes, 60) * (0.88 + 0.1 * random()) * interval '1 minute'
$$;

-- Listings were checked, and what they show is what is here. Nobody has an older page: the revision moves.
CREATE FUNCTION mark_checked(marked uuid[], at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM hold_products(ARRAY(SELECT DISTINCT product FROM listing WHERE presence = ANY(marked)));
    PERFORM FROM listing WHERE presence = ANY(marked) ORDER BY presence FOR UPDATE;
    UPDATE listing AS l SET checked = at,
        due = CASE WHEN l.due IS NOT NULL THEN next_check(at, s.interval_minutes) END
    FROM unnest(marked) AS g (presence)
    JOIN listing AS o ON o.presence = g.presence
    LEFT JOIN connection_list AS s ON s.organization = o.organization AND s.platform = o.platform
    WHERE l.presence = g.presence;
    PERFORM show_checks(marked);
    PERFORM advance_catalogue(of.organization, 0, 0) FROM (
        SELECT DISTINCT organization FROM listing WHERE presence = ANY(marked) ORDER BY organization) AS of;
END $$;

-- Listings that could not be read are not asked for again at once.
CREATE FUNCTION put_off_checks(listings uuid[], at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE listing AS l SET due = next_check(at, s.interval_minutes) FROM unnest(listings) AS g (presence)
    JOIN listing AS o ON o.presence = g.presence
    LEFT JOIN connection_list AS s ON s.organization = o.organization AND s.platform = o.platform
    WHERE l.presence = g.presence AND l.due IS NOT NULL;
END $$;

-- The marketplace's further ids of listings, as JSON.
CREATE FUNCTION note_references(listings uuid[], texts text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE listing AS l SET reference = r.reference::jsonb
    FROM unnest(listings, texts) AS r (presence, reference) WHERE l.presence = r.presence;
END $$;

-- Owe what is wanted of an organization's listings on a platform, as far as it has a connection that works.
CREATE FUNCTION owe_wants(of_presences uuid[], at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO todo (subject, organization, kind, due)
    SELECT l.presence, l.organization, 'listing', at FROM listing AS l
    JOIN connection_list AS s ON s.organization = l.organization AND s.platform = l.platform
    WHERE l.presence = ANY(of_presences) AND s.status = 'connected'
      AND (l.push_basis IS NOT NULL OR l.end_wanted IS NOT NULL)
    ORDER BY l.presence
    ON CONFLICT (subject) DO UPDATE SET due = excluded.due, fruitless = 0, dead_since = NULL, error = NULL;
    NOTIFY todo;
END $$;

-- Prices that are to be told; a newer one takes the place of one that was not told yet.
CREATE FUNCTION want_pushes(of_presences uuid[], basis text, at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    wanted uuid[];
BEGIN
    PERFORM FROM listing WHERE presence = ANY(of_presences) ORDER BY presence FOR UPDATE;
    WITH pushed AS (
        UPDATE listing AS l SET push_number = l.push_number + 1, push_basis = basis FROM connection_list AS s
        WHERE l.presence = ANY(of_presences) AND l.due IS NOT NULL AND l.is_enabled
          AND s.organization = l.organization AND s.platform = l.platform AND s.push_prices
        RETURNING l.presence
    )
    SELECT array_agg(presence) INTO wanted FROM pushed;
    IF wanted IS NOT NULL THEN
        PERFORM owe_wants(wanted, at);
    END IF;
END $$;

-- The product has another price of its own, or none any more.
CREATE FUNCTION want_pushes_of_product(of_product uuid, is_priced boolean, at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    of_presences uuid[] := ARRAY(SELECT presence FROM listing WHERE product = of_product ORDER BY presence);
BEGIN
    IF is_priced THEN
        PERFORM want_pushes(of_presences, 'rule', at);
    ELSE
        UPDATE listing SET push_basis = NULL WHERE presence = ANY(of_presences) AND push_basis = 'rule';
        PERFORM settle_wants(of_presences);
    END IF;
END $$;

-- The rule for a platform's prices is another: those of products that have one of their own.
CREATE FUNCTION want_pushes_of_connection(of uuid, on_platform text, at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM want_pushes(ARRAY(
        SELECT l.presence FROM listing AS l JOIN product_list AS p ON p.id = l.product
        WHERE l.organization = of AND l.platform = on_platform AND l.due IS NOT NULL AND l.is_enabled
          AND p.price_override IS NOT NULL
        ORDER BY l.presence), 'rule', at);
END $$;

-- A price was told, or cannot be: it is wanted no more, unless a newer one is.
CREATE FUNCTION end_push(of_presence uuid, number bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE listing SET push_basis = NULL WHERE presence = of_presence AND push_number = number;
    PERFORM settle_wants(ARRAY[of_presence]);
END $$;

-- Listings that are to end, each for the first order that asks for it.
CREATE FUNCTION want_ends(of_presences uuid[], cause text, at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    wanted uuid[];
BEGIN
    PERFORM FROM listing WHERE presence = ANY(of_presences) ORDER BY presence FOR UPDATE;
    WITH ending AS (
        UPDATE listing AS l SET end_wanted = cause FROM connection_list AS s
        WHERE l.presence = ANY(of_presences) AND l.due IS NOT NULL AND l.is_enabled AND l.end_wanted IS NULL
          AND s.organization = l.organization AND s.platform = l.platform AND s.auto_delist
        RETURNING l.presence
    )
    SELECT array_agg(presence) INTO wanted FROM ending;
    IF wanted IS NOT NULL THEN
        PERFORM owe_wants(wanted, at);
    END IF;
END $$;

-- It is there after all: what was to end because somebody said that it was sold stays.
CREATE FUNCTION forget_ends_by_hand(of_product uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    kept uuid[] := ARRAY(
        SELECT presence FROM listing WHERE product = of_product AND end_wanted = '' ORDER BY presence FOR UPDATE);
BEGIN
    UPDATE listing SET end_wanted = NULL WHERE presence = ANY(kept);
    PERFORM settle_wants(kept);
END $$;

CREATE FUNCTION end_end(of_presence uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE listing SET end_wanted = NULL WHERE presence = of_presence;
    PERFORM settle_wants(ARRAY[of_presence]);
END $$;

CREATE FUNCTION forget_wants(of_presence uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE listing SET push_basis = NULL, end_wanted = NULL WHERE presence = of_presence;
    PERFORM settle_wants(ARRAY[of_presence]);
END $$;

-- A connection works, from now on or with another interval: its listings have their places in it, its orders are read
-- from the first time on, and what was wanted meanwhile is owed. Those that are overdue by more than an interval, or
-- due later than one, are spread over the next. `new_round` is what its rounds are called if they have no name yet.
CREATE FUNCTION start_rounds(
    of_connection uuid, of uuid, on_platform text, new_round uuid, every interval, at timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO order_cursor (connection, organization, platform, round, since)
    VALUES (of_connection, of, on_platform, new_round, at) ON CONFLICT (connection) DO NOTHING;
    PERFORM FROM listing WHERE organization = of AND platform = on_platform ORDER BY presence FOR UPDATE;
    UPDATE listing SET due = at + every * place_of(presence)
    WHERE organization = of AND platform = on_platform AND (due < at - every OR due > at + every * 1.05);
    PERFORM owe_wants(ARRAY(
        SELECT presence FROM listing WHERE organization = of AND platform = on_platform
          AND (push_basis IS NOT NULL OR end_wanted IS NOT NULL)), at);
    PERFORM owe(round, of, 'round', at) FROM order_cursor WHERE connection = of_connection;
END $$;

-- It works no more: what is wanted waits.
CREATE FUNCTION stop_rounds(of_connection uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM todo AS t USING order_cursor AS o JOIN listing AS l
        ON l.organization = o.organization AND l.platform = o.platform
        AND (l.push_basis IS NOT NULL OR l.end_wanted IS NOT NULL)
    WHERE o.connection = of_connection AND t.subject = l.presence AND t.kind = 'listing';
    DELETE FROM todo AS t USING order_cursor AS o WHERE o.connection = of_connection AND t.subject = o.round;
END $$;

-- Prices are told there no more.
CREATE FUNCTION end_pushes(of uuid, on_platform text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    waiting uuid[] := ARRAY(
        SELECT presence FROM listing WHERE organization = of AND platform = on_platform
          AND push_basis IS NOT NULL ORDER BY presence FOR UPDATE);
BEGIN
    UPDATE listing SET push_basis = NULL WHERE presence = ANY(waiting);
    PERFORM settle_wants(waiting);
END $$;

-- The connection is gone, and with it all that was wanted.
CREATE FUNCTION drop_rounds(of_connection uuid, of uuid, on_platform text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stop_rounds(of_connection);
    UPDATE listing SET push_basis = NULL, end_wanted = NULL WHERE organization = of AND platform = on_platform
      AND (push_basis IS NOT NULL OR end_wanted IS NOT NULL);
    DELETE FROM order_cursor WHERE connection = of_connection;
END $$;

-- Orders that moved up to then are known.
CREATE FUNCTION move_orders(of_connection uuid, moved timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE order_cursor SET since = moved WHERE connection = of_connection AND since < moved;
END $$;

-- The marketplace says that something happened: orders are asked for at once.
CREATE FUNCTION hurry_orders(of_connection uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    hurried uuid;
BEGIN
    UPDATE order_cursor SET checked = NULL, hints = hints + 1 WHERE connection = of_connection
    RETURNING round INTO hurried;
    -- Another time than it had: a round that is under way is followed by one more.
    UPDATE todo SET due = now() WHERE subject = hurried AND dead_since IS NULL;
    IF FOUND THEN
        NOTIFY todo;
    END IF;
END $$;

-- Presences that there are.
INSERT INTO listing (
    presence, organization, product, platform, external_id, version, status, price, currency, is_enabled, due)
SELECT p.id, p.organization, p.product, shown -> 'platform' ->> 'uid', shown ->> 'external_listing_id',
    (SELECT max(e.originator_version) FROM events AS e WHERE e.originator_id = p.id), shown ->> 'status',
    (shown ->> 'listing_price')::numeric, shown ->> 'listing_currency', (shown ->> 'is_selling_enabled')::boolean,
    CASE WHEN shown ->> 'status' NOT IN ('ended', 'removed', 'sold') THEN
        now() + place_of(p.id) * interval '1 hour' END
FROM presence_list AS p CROSS JOIN LATERAL (SELECT p.document::jsonb) AS d (shown)
WHERE shown -> 'platform' ->> 'uid' IN ('plat_ebay', 'plat_discogs') AND shown ->> 'external_listing_id' <> '';

-- Connections that work already.
INSERT INTO order_cursor (connection, organization, platform, round, since)
SELECT id, organization, platform, gen_random_uuid(), now() FROM connection_list WHERE status = 'connected';
INSERT INTO todo (subject, organization, kind, due) SELECT round, organization, 'round', now() FROM order_cursor;

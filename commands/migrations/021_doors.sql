-- What the answer to a consent is opened with, sealed for its connection; null where the state alone does. It goes with
-- its state: taken once, and swept away soon after its time.
ALTER TABLE consent ADD COLUMN sealed bytea;
CREATE INDEX consent_until_idx ON consent (until);

DROP FUNCTION begin_consent(bytea, uuid, uuid, timestamptz);
CREATE FUNCTION begin_consent(
    digest bytea, of_connection uuid, of uuid, ends timestamptz, new_sealed bytea DEFAULT NULL
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM consent WHERE connection = of_connection AND until < now();
    INSERT INTO consent (state_digest, connection, organization, until, sealed)
    VALUES (digest, of_connection, of, ends, new_sealed);
END $$;

-- Keys that eBay signs notifications with, shared by all processes. `pem` is null while nobody knows it and, once it was
-- `answered`, where eBay has no such key; `asked` is when somebody last asked.
CREATE TABLE ebay_key (
    kid text NOT NULL,
    pem text,
    answered timestamptz,
    asked timestamptz NOT NULL,
    CONSTRAINT ebay_key_pkey PRIMARY KEY (kid)
);
CREATE INDEX ebay_key_asked_idx ON ebay_key (asked);

-- Say what is known of a key: `known` with its pem, `unknown` to eBay, `waiting` while another process asks, `limited`
-- where so many others were asked for within a minute, or `ask`: whoever is told that is to ask, nobody else does.
CREATE FUNCTION take_ebay_key(
    of_kid text, known_seconds float, unknown_seconds float, asking_seconds float, keys_a_minute bigint,
    OUT verdict text, OUT known_pem text
) LANGUAGE plpgsql AS $$
DECLARE
    found_key ebay_key;
BEGIN
    SELECT * INTO found_key FROM ebay_key WHERE kid = of_kid;
    IF found_key.pem IS NOT NULL AND found_key.answered > now() - make_interval(secs => known_seconds) THEN
        verdict := 'known';
        known_pem := found_key.pem;
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('ebay_key'));
    SELECT * INTO found_key FROM ebay_key WHERE kid = of_kid;
    CASE
        WHEN found_key.answered > now() - make_interval(
            secs => CASE WHEN found_key.pem IS NULL THEN unknown_seconds ELSE known_seconds END)
        THEN
            verdict := CASE WHEN found_key.pem IS NULL THEN 'unknown' ELSE 'known' END;
            known_pem := found_key.pem;
        WHEN found_key.asked > now() - make_interval(secs => asking_seconds)
            AND (found_key.answered IS NULL OR found_key.answered < found_key.asked)
        THEN
            verdict := 'waiting';
        WHEN found_key.pem IS NULL
            AND (SELECT count(*) FROM ebay_key WHERE asked > now() - interval '1 minute') >= keys_a_minute
        THEN
            -- One that eBay did sign with is asked for again whatever others ask for.
            verdict := 'limited';
        ELSE
            INSERT INTO ebay_key (kid, asked) VALUES (of_kid, clock_timestamp())
            ON CONFLICT (kid) DO UPDATE SET asked = excluded.asked;
            verdict := 'ask';
    END CASE;
END $$;

-- Notifications that were taken, by the hash of their id: what comes again, from eBay or from anybody, does nothing.
CREATE TABLE notification (
    connection uuid NOT NULL,
    digest bytea NOT NULL,
    taken timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT notification_pkey PRIMARY KEY (connection, digest)
);
CREATE INDEX notification_taken_idx ON notification (taken);

-- A step of a write (see the log's).
CREATE FUNCTION take_notification(
    of_connection uuid, of uuid, at timestamptz, of_digest bytea, is_order boolean, message text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO notification (connection, digest) VALUES (of_connection, of_digest) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF is_order THEN
        PERFORM hurry_orders(of_connection);
    END IF;
    PERFORM note_activities(
        of, at, ARRAY[of_connection], ARRAY['notification'], ARRAY['done'], ARRAY[NULL::uuid], ARRAY[NULL::uuid],
        ARRAY[message], ARRAY[NULL::text]);
END $$;

-- Connections that a platform is to send notifications of; `work` is what `todo` calls the setting up of one's.
CREATE TABLE subscriber (
    connection uuid NOT NULL,
    work uuid NOT NULL,
    CONSTRAINT subscriber_pkey PRIMARY KEY (connection),
    CONSTRAINT subscriber_work_key UNIQUE (work)
);

-- Steps of a write (see the log's).
CREATE FUNCTION subscribe(of_connection uuid, of uuid, of_work uuid, work_kind text, at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO subscriber (connection, work) VALUES (of_connection, of_work) ON CONFLICT DO NOTHING;
    PERFORM owe(of_work, of, work_kind, at);
END $$;

CREATE FUNCTION unsubscribe(of_connection uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    gone uuid;
BEGIN
    DELETE FROM subscriber WHERE connection = of_connection RETURNING work INTO gone;
    IF gone IS NOT NULL THEN
        PERFORM owe_no_more(gone);
    END IF;
    DELETE FROM notification WHERE connection = of_connection;
END $$;

-- Calls that marketplaces let us make, by key; all processes spend from one row. A paced key has one turn each `pace`
-- seconds, a daily key `a_day` turns of a day in UTC. What time it is says whoever asks: nothing here looks at a clock.
CREATE TABLE budget (
    key text NOT NULL,
    next_turn timestamptz NOT NULL,
    pace double precision,
    remaining integer,
    day date NOT NULL,
    used integer NOT NULL DEFAULT 0,
    a_day integer,
    blocked_until timestamptz,
    CONSTRAINT budget_pkey PRIMARY KEY (key)
) WITH (
    fillfactor = 50, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0,
    autovacuum_analyze_threshold = 5000
);
CREATE INDEX budget_day_idx ON budget (day) WHERE starts_with(key, 'ebay-revisions:');

-- Circuit breakers of connections: no row until something fails. An open one lets nothing through until `until`, then
-- one call, while which it is half-open: what comes of that closes it or opens it for longer.
CREATE TABLE breaker (
    connection uuid NOT NULL,
    state text NOT NULL DEFAULT 'closed',
    failures integer NOT NULL DEFAULT 0,
    openings integer NOT NULL DEFAULT 0,
    until timestamptz,
    reason text,
    CONSTRAINT breaker_pkey PRIMARY KEY (connection),
    CONSTRAINT breaker_state_check CHECK (state IN ('closed', 'open', 'half-open'))
) WITH (fillfactor = 70);

CREATE FUNCTION drop_breaker() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM breaker WHERE connection = old.connection;
    RETURN NULL;
END $$;
CREATE TRIGGER credential_drop_breaker AFTER DELETE ON credential FOR EACH ROW EXECUTE FUNCTION drop_breaker();

-- Take one turn of every key, or of none. `keys` are sorted (so that two who want the same do not wait for each other)
-- and each has a pace in seconds, or a number a day. Without a `of_connection` no breaker is asked.
-- Answers how many seconds to wait, and where there is no turn what by: 'breaker' or a key; then how many failures the
-- breaker knows of, a call that it is tried by counting as one.
CREATE FUNCTION take_turn(
    at timestamptz, of_connection uuid, keys text[], paces double precision[], days integer[],
    patience double precision, trial double precision,
    OUT wait double precision, OUT refused text, OUT failures integer
) LANGUAGE plpgsql AS $$
DECLARE
    today date := (at AT TIME ZONE 'UTC')::date;
    midnight timestamptz := (today + 1)::timestamp AT TIME ZONE 'UTC';
    b breaker;
    k budget;
    is_trial boolean := false;
    begins timestamptz := at;
BEGIN
    failures := 0;
    IF of_connection IS NOT NULL THEN
        SELECT * INTO b FROM breaker WHERE connection = of_connection;
        IF b.state IN ('open', 'half-open') THEN
            SELECT * INTO b FROM breaker WHERE connection = of_connection FOR UPDATE;
            IF b.state IN ('open', 'half-open') THEN
                IF b.until > at THEN
                    wait := extract(epoch FROM b.until - at);
                    refused := 'breaker';
                    RETURN;
                END IF;
                is_trial := true;
            END IF;
        END IF;
        failures := greatest(coalesce(b.failures, 0), is_trial::integer);
    END IF;
    FOR i IN 1 .. cardinality(keys) LOOP
        SELECT * INTO k FROM budget WHERE key = keys[i] FOR UPDATE;
        IF NOT FOUND THEN
            INSERT INTO budget (key, next_turn, day) VALUES (keys[i], at, today) ON CONFLICT (key) DO NOTHING;
            SELECT * INTO k FROM budget WHERE key = keys[i] FOR UPDATE;
        END IF;
        begins := greatest(begins, k.blocked_until);
        IF paces[i] IS NOT NULL THEN
            begins := greatest(begins, k.next_turn);
        END IF;
        IF days[i] IS NOT NULL AND k.day >= today AND k.used >= days[i] THEN
            begins := greatest(begins, midnight);
        END IF;
        IF begins > at + make_interval(secs => patience) THEN
            wait := extract(epoch FROM begins - at);
            refused := keys[i];
            RETURN;
        END IF;
    END LOOP;
    FOR i IN 1 .. cardinality(keys) LOOP
        -- A clock that is behind another's spends of the day that the other is in.
        UPDATE budget SET
            next_turn = CASE WHEN paces[i] IS NULL THEN next_turn
                ELSE begins + make_interval(secs => coalesce(pace, paces[i])) END,
            used = CASE WHEN day < today THEN 1 ELSE used + 1 END,
            day = greatest(day, today),
            a_day = days[i],
            blocked_until = CASE WHEN blocked_until > at THEN blocked_until END
        WHERE key = keys[i];
    END LOOP;
    IF is_trial THEN
        UPDATE breaker SET state = 'half-open', until = begins + make_interval(secs => trial)
        WHERE connection = of_connection;
    END IF;
    wait := extract(epoch FROM begins - at);
END $$;

-- A call failed in a way that may pass. So many in a row open the breaker, twice as long each time that it opens again.
CREATE FUNCTION trip_breaker(
    of_connection uuid, at timestamptz, why text, threshold integer, shortest double precision,
    longest double precision, jitter double precision
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    b breaker;
BEGIN
    INSERT INTO breaker (connection) VALUES (of_connection) ON CONFLICT (connection) DO NOTHING;
    SELECT * INTO b FROM breaker WHERE connection = of_connection FOR UPDATE;
    b.failures := b.failures + 1;
    IF b.state = 'half-open' OR b.state = 'closed' AND b.failures >= threshold THEN
        b.until := at + make_interval(secs => least(longest, shortest * 2 ^ least(b.openings, 30)) * (1 - jitter / 2));
        b.state := 'open';
        b.openings := b.openings + 1;
    END IF;
    UPDATE breaker SET state = b.state, failures = b.failures, openings = b.openings, until = b.until, reason = why
    WHERE connection = of_connection;
    RETURN b.state;
END $$;

-- create: What is kept of a rebuild under way, beside the tables it makes: it goes when they do.
CREATE TABLE progress (
    version integer NOT NULL,
    position bigint NOT NULL,
    checked timestamptz,
    stage text NOT NULL DEFAULT 'filling',
    started timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE share (
    number integer NOT NULL PRIMARY KEY,
    first text,
    last text,
    is_done boolean NOT NULL DEFAULT false,
    events bigint NOT NULL DEFAULT 0,
    objects bigint NOT NULL DEFAULT 0
);
CREATE TABLE aside (
    object uuid NOT NULL,
    stream uuid NOT NULL PRIMARY KEY,
    position bigint NOT NULL,
    topic text NOT NULL,
    reason text NOT NULL
);

-- begin: Note where the log stood before the first of it was read.
INSERT INTO progress (version, position) VALUES (%s, %s);

-- add_shares: Note the parts to fill.
INSERT INTO share (number, first, last)
SELECT * FROM unnest(%(numbers)s::integer[], %(firsts)s::text[], %(lasts)s::text[]);

-- is_there: Whether a rebuild was begun in a schema.
SELECT to_regclass(%s) IS NOT NULL;

-- progress: How far it is.
SELECT p.version, p.position, p.checked, p.stage, p.started, count(s.number), count(*) FILTER (WHERE s.is_done),
    coalesce(sum(s.events), 0)::bigint, coalesce(sum(s.objects), 0)::bigint
FROM progress AS p LEFT JOIN share AS s ON true GROUP BY p.version, p.position, p.checked, p.stage, p.started;

-- take: A part that nobody fills at the moment, until the transaction ends.
SELECT number, first, last FROM share WHERE NOT is_done ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED;

-- take_over: A part that is not filled, as soon as who is at it has given up or ended.
SELECT number, first, last FROM share WHERE NOT is_done ORDER BY number LIMIT 1 FOR UPDATE;

-- done: Say what a part came to.
UPDATE share SET is_done = true, events = %(events)s, objects = %(objects)s WHERE number = %(number)s;

-- reach: Note up to where the log was followed, and listings were looked at.
UPDATE progress SET position = %(position)s, checked = coalesce(%(checked)s, checked);

-- enter: Note what comes next.
UPDATE progress SET stage = %s;

-- put_aside: Note what cannot be folded, and which object is not made for it.
INSERT INTO aside (object, stream, position, topic, reason) VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING;

-- aside: What could not be folded.
SELECT object, stream, position, topic, reason FROM aside ORDER BY position;

-- undone: How many parts are not filled.
SELECT count(*) FROM share WHERE NOT is_done;

-- forget_aside: Let what could not be folded be tried again.
DELETE FROM aside RETURNING object;

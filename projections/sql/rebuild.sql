-- create_next: An empty table of the live one's form, without indexes.
CREATE TABLE product_list_next (LIKE product_list INCLUDING DEFAULTS INCLUDING STORAGE)
WITH (toast_tuple_target = 8160);

-- drop_next: Take away what an earlier rebuild left.
DROP TABLE IF EXISTS product_list_next;

-- edges: Streams that cut the log into parts of about the same number of events.
SELECT DISTINCT edge FROM (
    SELECT unnest(percentile_disc(
        ARRAY(SELECT i::float / %(count)s FROM generate_series(1, %(count)s - 1) AS i)
    ) WITHIN GROUP (ORDER BY originator_id)) AS edge FROM events
) AS cut ORDER BY edge;

-- product_events: The products' events of a part of the log, stream by stream. Ids are bytes, which compare faster.
SELECT uuid_send(originator_id), topic, state, notification_id FROM events
WHERE (%(first)s::uuid IS NULL OR originator_id >= %(first)s::uuid)
  AND (%(last)s::uuid IS NULL OR originator_id < %(last)s::uuid)
  AND topic LIKE 'product.%%'
ORDER BY originator_id, originator_version;

-- streams: The products' events of some streams, stream by stream.
SELECT uuid_send(originator_id), topic, state, notification_id FROM events
WHERE originator_id = ANY(%(ids)s) AND topic LIKE 'product.%%'
ORDER BY originator_id, originator_version;

-- moved: The streams of products that have events after a position.
SELECT DISTINCT originator_id FROM events
WHERE notification_id > %(after)s AND notification_id <= %(until)s AND topic LIKE 'product.%%';

-- fill: Copy finished rows in.
COPY product_list_next (
    id, organization, revision, type, title_key, artist_key, created, updated, price, tags, search, document,
    total_count, listed_count, available_count, listed, redbubble, statuses) FROM STDIN;

-- index_definitions: The live table's indexes as statements for the new one.
SELECT replace(replace(indexdef, ' ON public.product_list ', ' ON public.product_list_next '),
    indexname, replace(indexname, 'product_list', 'product_list_next'))
FROM pg_indexes WHERE schemaname = 'public' AND tablename = 'product_list'
ORDER BY indexname;

-- key_of_next: Make the new table's index of ids its primary key.
ALTER TABLE product_list_next ADD CONSTRAINT product_list_next_pkey PRIMARY KEY USING INDEX product_list_next_pkey;

-- exchange: Give the new table and its indexes the live one's names.
DO $$
DECLARE
    index_name text;
BEGIN
    DROP TABLE product_list;
    ALTER TABLE product_list_next RENAME TO product_list;
    FOR index_name IN SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND tablename = 'product_list'
    LOOP
        EXECUTE format('ALTER INDEX %I RENAME TO %I', index_name, replace(index_name, '_next', ''));
    END LOOP;
END $$;

-- media: One picture by the token in its address.
SELECT blob, content_type, size_bytes, small_bytes, large_bytes FROM image WHERE token = %s AND doomed IS NULL;

-- attempt: Count an attempt at the small sizes of a picture that something shows.
UPDATE image SET attempts = attempts + 1 WHERE id = %(id)s AND free_since IS NULL AND error IS NULL
RETURNING blob, attempts;

-- forgive: Take back an attempt that failed for want of an engine.
UPDATE image SET attempts = attempts - 1 WHERE id = %(id)s RETURNING 1;

-- made: Note the small sizes; nothing is owed any more.
WITH done AS (DELETE FROM todo WHERE subject = %(id)s)
UPDATE image SET small_bytes = %(small)s, large_bytes = %(large)s WHERE id = %(id)s RETURNING 1;

-- give_up: Note why there will be no small sizes; nothing is owed any more.
WITH done AS (DELETE FROM todo WHERE subject = %(id)s)
UPDATE image SET error = %(error)s WHERE id = %(id)s RETURNING 1;

-- failed: Pictures that there will be no small sizes of.
SELECT id, organization, error FROM image WHERE error IS NOT NULL AND free_since IS NULL ORDER BY id;

-- retry: Owe those of them anew.
WITH again AS (
    UPDATE image SET attempts = 0, error = NULL WHERE error IS NOT NULL AND free_since IS NULL
    RETURNING id, organization
) SELECT owe(id, organization, %(kind)s, now()) FROM again;

-- doom: Take pictures that nothing has shown for so long; from now on nothing can.
UPDATE image SET doomed = now() WHERE id IN (
    SELECT id FROM image
    WHERE free_since < now() - make_interval(secs => %(grace)s) AND doomed IS NULL
    ORDER BY free_since LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) RETURNING blob;

-- left_over: Pictures that were doomed as long ago: no upload is under way that could still name them.
SELECT id, blob FROM image WHERE doomed < now() - make_interval(secs => %(grace)s) ORDER BY doomed LIMIT %(limit)s;

-- forget: Drop the rows of pictures whose files are gone.
DELETE FROM image WHERE id = ANY(%(ids)s) AND doomed IS NOT NULL RETURNING 1;

-- media: One picture by the token in its address.
SELECT blob, content_type, size_bytes, small_bytes, large_bytes FROM image WHERE token = %s AND doomed IS NULL;

-- shown: The original of a picture that something shows.
SELECT blob FROM image WHERE id = %(id)s AND free_since IS NULL AND doomed IS NULL;

-- made: Note the small sizes; nothing is owed any more.
WITH done AS (SELECT owe_no_more(%(id)s))
UPDATE image SET small_bytes = %(small)s, large_bytes = %(large)s FROM done WHERE id = %(id)s RETURNING 1;

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

-- doom: Take files that no asset has had for so long and that were never sold, and those of uploads that ran out.
WITH taken AS (
    UPDATE asset_file SET doomed = now() WHERE id IN (
        SELECT f.id FROM asset_file AS f LEFT JOIN asset_upload AS u ON u.id = f.id
        WHERE f.free_since IS NOT NULL AND f.doomed IS NULL AND NOT f.is_sold
          AND CASE WHEN u.id IS NULL THEN f.free_since < now() - make_interval(secs => %(grace)s)
              ELSE u.expires < now() END
        ORDER BY f.free_since LIMIT %(limit)s FOR UPDATE OF f SKIP LOCKED
    ) RETURNING id, blob
), ended AS (
    DELETE FROM asset_upload AS u USING taken WHERE u.id = taken.id
)
SELECT id, blob FROM taken;

-- left_over: Files that were doomed as long ago: no upload is under way that could still name them.
SELECT id, blob FROM asset_file
WHERE doomed < now() - make_interval(secs => %(grace)s) ORDER BY doomed LIMIT %(limit)s;

-- forget: Drop the rows of files that are gone.
DELETE FROM asset_file WHERE id = ANY(%(ids)s) AND doomed IS NOT NULL RETURNING 1;

-- count: How many imports an organization has.
SELECT count(*) FROM import_list WHERE organization = %b;

-- page: Imports of an organization, newest first.
SELECT document FROM import_list WHERE organization = %b ORDER BY created DESC, id LIMIT %b::bigint OFFSET %b::bigint;

-- detail: One import of an organization.
SELECT document, revision, filename, rejects_blob FROM import_list WHERE id = %b AND organization = %b;

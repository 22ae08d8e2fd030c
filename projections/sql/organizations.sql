-- grants: What each of the digests opens right now; a revoked or unknown one is not among the rows.
SELECT k.digest, k.id, k.organization, k.scopes, c.revision, c.product_count
FROM api_key AS k JOIN catalogue AS c ON c.organization = k.organization
WHERE k.digest = ANY(%b) AND k.revoked IS NULL;

-- touch: Note when keys were last seen.
INSERT INTO api_key_use AS t (id, used) SELECT unnest(%b::uuid[]), now()
ON CONFLICT (id) DO UPDATE SET used = excluded.used WHERE t.used < excluded.used - interval '1 minute';

-- organization_named: Organizations by name, whatever its case, oldest first.
SELECT id, name FROM organization WHERE lower(name) = lower(%s) ORDER BY created, id;

-- organizations: All organizations, oldest first.
SELECT id, name, created FROM organization ORDER BY created, id;

-- keys: The keys of an organization (all of them for null), oldest first.
SELECT k.id, o.name, k.name, k.scopes, k.prefix, k.created, k.revoked, u.used
FROM api_key AS k JOIN organization AS o ON o.id = k.organization LEFT JOIN api_key_use AS u ON u.id = k.id
WHERE %(organization)s::uuid IS NULL OR k.organization = %(organization)s::uuid
ORDER BY k.created, k.id;

-- senders: All organizations with where answers to their mails go, oldest first.
SELECT o.name, s.reply_to FROM organization AS o LEFT JOIN sender AS s ON s.organization = o.id
ORDER BY o.created, o.id;

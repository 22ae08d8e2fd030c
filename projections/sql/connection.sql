-- count: How many connections an organization has.
SELECT count(*) FROM connection_list WHERE organization = %b;

-- page: Connections of an organization, oldest first.
SELECT document FROM connection_list WHERE organization = %b ORDER BY created, id LIMIT %b::bigint OFFSET %b::bigint;

-- detail: One connection of an organization.
SELECT document, revision, platform FROM connection_list WHERE id = %b AND organization = %b;

-- hold: Hold a connection until the transaction ends.
SELECT id FROM connection_list WHERE id = %b FOR NO KEY UPDATE;

-- held: A connection that is held.
SELECT revision FROM connection_list WHERE id = %b;

-- returned: Whose consent a state stands for, once and in time.
DELETE FROM consent WHERE state_digest = %b RETURNING connection, organization, until > now(), sealed;

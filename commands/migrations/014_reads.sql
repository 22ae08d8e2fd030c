-- Tags are asked for by any part of them, which no index leads to: all of an organization's are looked at, here instead
-- of in their rows, together with what the other filters ask. What is too long for an index is in the second one. Tags
-- are no key: entries stand in the order of their rows, which costs a write and a rebuild least.
CREATE INDEX product_list_tags_idx ON product_list (organization)
    INCLUDE (tags, id, type, total_count, available_count, statuses, redbubble) WHERE octet_length(tags) <= 1000;
CREATE INDEX product_list_long_tags_idx ON product_list (organization) WHERE octet_length(tags) > 1000;

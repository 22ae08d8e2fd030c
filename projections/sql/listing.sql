-- round: Which connection a round is of.
SELECT c.id, c.organization, c.platform, c.status = 'connected', c.interval_minutes
FROM order_cursor AS o JOIN connection_list AS c ON c.id = o.connection WHERE o.round = %(round)s;

-- due: Listings of a connection that are to be checked, the longest due first, with the SKUs of their products' items.
SELECT l.presence, l.product, l.external_id, l.currency, l.reference, ARRAY(
        SELECT ('"' || substring(i.rest FROM '"manual_sku":"((?:[^"\\]|\\.)*)"') || '"')::json #>> '{}'
        FROM inventory_list AS i
        WHERE i.organization = l.organization AND i.product = l.product AND i.sku_key IS NOT NULL ORDER BY i.number),
    l.version
FROM connection_list AS c CROSS JOIN LATERAL (
    SELECT * FROM listing WHERE organization = c.organization AND platform = c.platform AND is_enabled
      AND due <= %(now)s ORDER BY due, presence LIMIT %(limit)s
) AS l WHERE c.id = %(connection)s ORDER BY l.due, l.presence;

-- next_due: When the next listing of a connection is to be checked.
SELECT min(l.due) FROM connection_list AS c CROSS JOIN LATERAL (
    SELECT due FROM listing WHERE organization = c.organization AND platform = c.platform AND is_enabled
      AND due IS NOT NULL ORDER BY due LIMIT 1
) AS l WHERE c.id = %(connection)s;

-- wanted: What is wanted of a listing, with all that says which price; by its id, not by the list of all that is wanted.
SELECT l.presence, l.product, l.external_id, l.currency, l.reference, ARRAY(
        SELECT ('"' || substring(i.rest FROM '"manual_sku":"((?:[^"\\]|\\.)*)"') || '"')::json #>> '{}'
        FROM inventory_list AS i
        WHERE i.organization = l.organization AND i.product = l.product AND i.sku_key IS NOT NULL ORDER BY i.number),
    l.version, c.id, c.organization, c.platform, l.end_wanted, l.push_number, l.push_basis, l.price,
    p.price_override, c.markup_percent
FROM listing AS l JOIN connection_list AS c ON c.organization = l.organization AND c.platform = l.platform
JOIN product_list AS p ON p.id = l.product
WHERE l.presence = %(presence)s AND c.status = 'connected' AND l.due IS NOT NULL AND l.is_enabled
  AND coalesce(l.push_basis, l.end_wanted) IS NOT NULL;

-- orders: How far a connection's orders were read.
SELECT since, checked, hints FROM order_cursor WHERE connection = %(connection)s;

-- orders_checked: Note when orders were asked for; a hint that came meanwhile has them asked for again.
UPDATE order_cursor SET checked = CASE WHEN hints = %(hints)s THEN %(at)s::timestamptz END
WHERE connection = %(connection)s RETURNING 1;

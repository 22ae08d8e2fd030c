-- sellable: How many items are for sale, and whether any has a description of its own.
SELECT count(*), coalesce(bool_or(rest LIKE '%%"manual_description":"%%'), false)
FROM inventory_list WHERE organization = %b AND status = ANY(%b::smallint[]);

-- page: The next items for sale, those of a product together, with what tells of their release and their own listing.
SELECT i.product, i.number, i.summary || i.rest || '0}', split_part(d.document, E'\x04', 5),
    (SELECT split_part(value, ':', 3) FROM claim
        WHERE holder = i.product AND kind = 'import' AND value LIKE 'discogs:release:%%'),
    p.document
FROM inventory_list AS i JOIN product_document AS d ON d.id = i.product
LEFT JOIN LATERAL (
    SELECT split_part(value, ':', 4) AS listing_id FROM claim
    WHERE holder = i.id AND kind = 'import' AND value LIKE 'discogs:listing:%%' LIMIT 1
) AS l ON true
LEFT JOIN claim AS c ON c.organization = i.organization AND c.kind = 'presence'
    AND c.value = i.product || ':plat_discogs:' || l.listing_id
LEFT JOIN presence_list AS p ON p.id = c.holder
WHERE i.organization = %b AND i.status = ANY(%b::smallint[]) AND (i.product, i.number) > (%b, %b::integer)
ORDER BY i.product, i.number LIMIT %b;

-- document: Items as they are answered now, whichever they are.
SELECT summary || rest || greatest(0, floor(extract(epoch FROM now() - created) / 86400))::bigint || '}' AS document
FROM inventory_list AS i;

-- count: How many items an organization has.
SELECT item_count FROM catalogue WHERE organization = %b;

-- hold_product: Hold the product of an item until the transaction ends.
SELECT id FROM product_list WHERE id = (SELECT product FROM inventory_list WHERE id = %b) FOR NO KEY UPDATE;

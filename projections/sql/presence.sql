-- of_product: All presences of a product, oldest first; no row where the organization has no such product.
SELECT array_to_string(
    ARRAY(SELECT document FROM presence_list WHERE organization = l.organization AND product = l.id ORDER BY number), ',')
FROM product_list AS l WHERE l.id = %b AND l.organization = %b;

-- detail: One presence of an organization's product by its number.
SELECT id, document FROM presence_list WHERE organization = %b AND product = %b AND number = %b::bigint;

-- hold_product: Hold the product of a presence until the transaction ends.
SELECT id FROM product_list WHERE id = (SELECT product FROM presence_list WHERE id = %b) FOR NO KEY UPDATE;

-- held: A presence whose product is held.
SELECT document FROM presence_list WHERE id = %b;

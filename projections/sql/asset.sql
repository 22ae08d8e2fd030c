-- of_product: All digital assets of a product, oldest first; no row where the organization has no such product.
SELECT array_to_string(
    ARRAY(
        SELECT document FROM asset_list WHERE organization = l.organization AND product = l.id ORDER BY created, id
    ), ',')
FROM product_list AS l WHERE l.id = %b AND l.organization = %b;

-- type_of_product: What kind of product it is.
SELECT type FROM product_list WHERE id = %b AND organization = %b;

-- detail: One digital asset of an organization.
SELECT product, document, revision FROM asset_list WHERE id = %b AND organization = %b;

-- hold_product: Hold the product of an asset until the transaction ends.
SELECT id FROM product_list WHERE id = (SELECT product FROM asset_list WHERE id = %b) FOR NO KEY UPDATE;

-- held: An asset whose product is held.
SELECT revision FROM asset_list WHERE id = %b;

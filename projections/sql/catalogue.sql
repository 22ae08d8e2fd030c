-- detail: One product of an organization.
SELECT document, revision FROM product_list WHERE id = %b AND organization = %b;

-- revision: The product's revision, held until the transaction ends.
SELECT revision FROM product_list WHERE id = %b FOR UPDATE;

-- detail: One product of an organization.
SELECT d.document, l.revision, l.child_revision, d.checked
FROM product_list AS l JOIN product_document AS d ON d.id = l.id WHERE l.id = %b AND l.organization = %b;

-- documents: Those of some products that are there.
SELECT id, document FROM product_document WHERE id = ANY(%b);

-- revision: Where the product and its family stand, held until the transaction ends.
SELECT revision, child_revision FROM product_list WHERE id = %b FOR NO KEY UPDATE;

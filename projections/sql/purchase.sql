-- document: Purchases as they are answered now, whichever they are.
SELECT with_buyer(l.document, l.buyer) FROM purchase_list AS l;

-- detail: One purchase of an organization.
SELECT with_buyer(document, buyer), revision FROM purchase_list WHERE id = %b AND organization = %b;

-- buyer_of: Who bought, if that is still known.
SELECT b.email, b.name FROM purchase_list AS l JOIN buyer AS b ON b.id = l.buyer WHERE l.id = %b;

-- by_token: The state of the purchase that a token's digest leads to.
SELECT state FROM purchase_list WHERE token_digest = %b;

-- bought: The purchases of an address, each with the organization it was bought from.
SELECT l.id, l.organization FROM buyer AS b JOIN purchase_list AS l ON l.buyer = b.id
WHERE b.email_key = %(buyer)s AND (%(organization)s::uuid IS NULL OR b.organization = %(organization)s)
ORDER BY l.id;

-- failed: The purchases whose mail was given up, each with the organization it was bought from.
SELECT id, organization FROM purchase_list
WHERE status = 'failed' AND (%(organization)s::uuid IS NULL OR organization = %(organization)s) ORDER BY created, id;

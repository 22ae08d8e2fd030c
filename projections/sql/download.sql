-- shop: Who sells, and the product as it is shown now, if it still is.
SELECT o.name, d.document FROM organization AS o LEFT JOIN product_document AS d ON d.id = %b WHERE o.id = %b;

-- begun: Downloads of a purchase that an address has begun since then.
SELECT asset, id FROM downloads_since(%b, %s, %b);

-- log: Downloads of a purchase, newest first.
SELECT asset, filename, started, ip, user_agent, bytes_sent, completed FROM download
WHERE purchase = %b ORDER BY started DESC, id DESC LIMIT %b OFFSET %b;

-- count: How many downloads a purchase has.
SELECT count(*) FROM download WHERE purchase = %b;

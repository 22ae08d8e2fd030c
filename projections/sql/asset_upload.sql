-- detail: An upload of an organization's product that is under way.
SELECT u.id, u.product, u.blob, u.multipart, u.filename, u.content_type, u.size_bytes, u.part_bytes, u.sha256, u.asked,
    u.created, u.expires
FROM asset_upload AS u JOIN product_list AS l ON l.id = u.product
WHERE u.id = %b AND u.organization = %b AND u.product = %b AND u.expires > now();

-- addressed: Who bought, from whom, and where answers go.
SELECT b.email, b.name, o.name, s.reply_to
FROM purchase_list AS l JOIN buyer AS b ON b.id = l.buyer JOIN organization AS o ON o.id = l.organization
LEFT JOIN sender AS s ON s.organization = l.organization
WHERE l.id = %(purchase)s;

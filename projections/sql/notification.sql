-- receiver: Whose connection it is that a notification is for, and to what.
SELECT organization, platform FROM connection_list WHERE id = %b;

-- key: What is known of a key, or who is to ask for it.
SELECT verdict, known_pem FROM take_ebay_key(%s, %b::float, %b::float, %b::float, %b::bigint);

-- answered: Keep what eBay says of a key; null where it has none.
UPDATE ebay_key SET pem = %s, answered = clock_timestamp() WHERE kid = %s RETURNING 1;

-- subscriber: Which connection it is that work is about.
SELECT connection FROM subscriber WHERE work = %(work)s;

-- sweep: Forget consents that ran out, keys that nobody asked for, and notifications that will not come again.
WITH consents AS (
    DELETE FROM consent WHERE until < now() RETURNING 1
), keys AS (
    DELETE FROM ebay_key WHERE asked < now() - interval '1 day' RETURNING 1
)
DELETE FROM notification WHERE taken < now() - interval '7 days' RETURNING 1;

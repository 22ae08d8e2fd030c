-- park: Note a stream that cannot be folded; whether it was not noted before.
SELECT park_stream(%(stream)s, %(position)s, %(topic)s, %(reason)s);

-- listed: The streams that are parked, longest first.
SELECT stream, position, topic, reason, since FROM parked ORDER BY since, stream;

-- count: How many there are.
SELECT count(*) FROM parked;

-- stream: The events of a stream, oldest first.
SELECT notification_id, topic, state FROM events WHERE originator_id = %(stream)s ORDER BY originator_version;

-- unpark: Let a stream be worked with again.
DELETE FROM parked WHERE stream = %(stream)s RETURNING 1;

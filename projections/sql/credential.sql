-- locked: What opens an account, held until the transaction ends.
SELECT sealed FROM credential WHERE connection = %(connection)s FOR UPDATE;

-- replace: Keep something else; the row is held.
UPDATE credential SET sealed = %(sealed)s WHERE connection = %(connection)s RETURNING 1;

-- all: Every account's.
SELECT connection FROM credential ORDER BY connection;

-- options: The storage parameters of live tables, those that have any.
SELECT relname, array_to_string(reloptions, ', ') FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relname = ANY(%(tables)s) AND reloptions IS NOT NULL;

-- columns: What columns tables of a schema have, in their order.
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace = to_regnamespace(%(schema)s) AND c.relname = ANY(%(tables)s) AND a.attnum > 0
  AND NOT a.attisdropped
ORDER BY c.relname, a.attnum;

-- indexes: The indexes of tables of a schema, as statements.
SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = %(schema)s AND tablename = ANY(%(tables)s)
ORDER BY indexname;

-- keys: The primary keys of tables of a schema.
SELECT relname, conname FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
WHERE connamespace = to_regnamespace(%(schema)s) AND relname = ANY(%(tables)s) AND contype = 'p';

-- rights: Who may do what with live tables, but for their owner.
SELECT relname, grantee::regrole::text, privilege_type
FROM pg_class CROSS JOIN LATERAL aclexplode(relacl)
WHERE relnamespace = 'public'::regnamespace AND relname = ANY(%(tables)s) AND grantee NOT IN (0, relowner);

-- size: How many bytes the tables of a schema take, with their indexes.
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class AS c
WHERE c.relnamespace = to_regnamespace(%(schema)s) AND c.relname = ANY(%(tables)s);

-- estimate: About how many rows live tables have together.
SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relname = ANY(%(tables)s);

-- leave_uncompressed: Log pages as they are, where the role may say so.
SELECT set_config('wal_compression', 'off', false)
WHERE has_parameter_privilege(current_user, 'wal_compression', 'SET');

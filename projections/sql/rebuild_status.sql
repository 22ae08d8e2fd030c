-- built: When a projection's tables were last made anew, and up to where in the log.
SELECT built, position FROM projection WHERE name = %s;

-- is_worked_at: Whether somebody rebuilds anything at the moment.
SELECT EXISTS (
    SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid::bigint = %s AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
);

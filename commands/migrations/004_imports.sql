-- One row an import: the answer's object as finished JSON.
CREATE TABLE import_list (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    revision bigint NOT NULL,
    filename text NOT NULL,
    created timestamptz NOT NULL,
    document text NOT NULL,
    rejects_blob text,
    CONSTRAINT import_list_pkey PRIMARY KEY (id)
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_threshold = 200,
    autovacuum_vacuum_scale_factor = 0
);
CREATE INDEX import_list_created_idx ON import_list (organization, created DESC, id);

-- What the log owes: work that a worker has still to do. The log alone decides what is in it.
CREATE TABLE todo (
    subject uuid NOT NULL,
    organization uuid NOT NULL,
    kind text NOT NULL,
    due timestamptz NOT NULL,
    CONSTRAINT todo_pkey PRIMARY KEY (subject)
);
CREATE INDEX todo_due_idx ON todo (due);

-- Who does it at the moment, until when. Not a fact of the log: a lease that nobody renews runs out.
CREATE TABLE lease (
    subject uuid NOT NULL,
    token uuid NOT NULL,
    until timestamptz NOT NULL,
    CONSTRAINT lease_pkey PRIMARY KEY (subject)
) WITH (fillfactor = 70);

-- Steps of a write (see the log's).
CREATE FUNCTION put_import(
    import_id uuid, of uuid, new_revision bigint, new_filename text, at timestamptz, new_document text, new_rejects text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO import_list AS t (id, organization, revision, filename, created, document, rejects_blob)
    VALUES (import_id, of, new_revision, new_filename, at, new_document, new_rejects)
    ON CONFLICT (id) DO UPDATE
    SET revision = excluded.revision, document = excluded.document, rejects_blob = excluded.rejects_blob;
END $$;

CREATE FUNCTION owe(work uuid, of uuid, work_kind text, at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO todo (subject, organization, kind, due) VALUES (work, of, work_kind, at)
    ON CONFLICT (subject) DO UPDATE SET due = excluded.due;
    NOTIFY todo;
END $$;

CREATE FUNCTION owe_no_more(work uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM todo WHERE subject = work;
END $$;

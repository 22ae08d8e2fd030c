-- Items and presences that come in bulk, with an import. As hold_product and adopt, for many products: each held once,
-- in the order of their ids, so that two imports cannot wait for each other.
CREATE FUNCTION hold_families(products uuid[], versions bigint[], child_revisions bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM hold_products(products);
    IF EXISTS (
        SELECT FROM unnest(products, versions, child_revisions) AS g (id, version, family)
        LEFT JOIN product_list AS l ON l.id = g.id
        WHERE l.id IS NULL OR l.revision <> g.version OR l.child_revision <> g.family
    ) THEN
        RAISE EXCEPTION 'one of % products has moved on', cardinality(products)
            USING ERRCODE = 'serialization_failure';
    END IF;
END $$;

-- Numbers of items need no check: a family that is held at its revision has made no other.
CREATE FUNCTION adopt_all(children uuid[], products uuid[], kinds text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO child (id, product, kind) SELECT * FROM unnest(children, products, kinds);
END $$;

-- Imports of before made products alone, with prices in USD.
UPDATE import_list SET document = regexp_replace(
    regexp_replace(document, ',"dry_run":', ',"currency":"USD","dry_run":'),
    '("rows_created":)(\d+)(.*"rows_rejected":\d+)',
    '\1\2\3,"products_created":\2,"items_created":0,"presences_created":0');

-- As bind_receipt, with the documents of several products in the body as this write leaves them: each of `texts` is
-- followed by the document of its product, where it has one.
CREATE FUNCTION bind_composed_receipt(
    of uuid, named text, request bytea, status smallint, headers text, texts text[], products uuid[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    body text;
    missing bigint;
BEGIN
    SELECT string_agg(g.said || coalesce(d.document, ''), '' ORDER BY g.place),
        count(*) FILTER (WHERE g.product IS NOT NULL AND d.id IS NULL)
    INTO body, missing
    FROM unnest(texts, products) WITH ORDINALITY AS g (said, product, place)
    LEFT JOIN product_document AS d ON d.id = g.product;
    IF missing > 0 THEN
        RAISE EXCEPTION '% products have just gone', missing USING ERRCODE = 'serialization_failure';
    END IF;
    PERFORM bind_receipt(of, named, request, status, headers, body);
END $$;

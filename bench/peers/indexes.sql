ALTER TABLE artists ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX ON artists (organization_id, lower(name));
ALTER TABLE labels ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX ON labels (organization_id, lower(name));

ALTER TABLE products ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX ON products (uid);
CREATE INDEX ON products (artist_id);
CREATE INDEX ON products (music_label_id);
-- Small and in the order of the table: counting reads this one.
CREATE INDEX ON products (organization_id);
CREATE INDEX ON products (organization_id, created DESC, id);
CREATE INDEX ON products (organization_id, updated DESC, id);
CREATE INDEX ON products (organization_id, lower(title), id);
CREATE INDEX ON products (organization_id, coalesce(price_override_usd, price_computed_usd) DESC NULLS LAST, id);
CREATE INDEX ON products USING gin (search);
CREATE INDEX ON products USING gin (tags);
INSERT INTO tags (organization_id, name) SELECT DISTINCT organization_id, unnest(tags) FROM products;

ALTER TABLE inventory_items ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX ON inventory_items (uid);
CREATE UNIQUE INDEX ON inventory_items (product_id, number);
CREATE INDEX ON inventory_items (product_id, status);
CREATE INDEX ON inventory_items (status, product_id);

ALTER TABLE presences ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX ON presences (product_id, platform_id, external_listing_id);

ALTER TABLE artists ADD FOREIGN KEY (organization_id) REFERENCES organizations;
ALTER TABLE labels ADD FOREIGN KEY (organization_id) REFERENCES organizations;
ALTER TABLE products ADD FOREIGN KEY (organization_id) REFERENCES organizations;
ALTER TABLE products ADD FOREIGN KEY (artist_id) REFERENCES artists;
ALTER TABLE products ADD FOREIGN KEY (music_label_id) REFERENCES labels;
ALTER TABLE inventory_items ADD FOREIGN KEY (product_id) REFERENCES products ON DELETE CASCADE;
ALTER TABLE presences ADD FOREIGN KEY (product_id) REFERENCES products ON DELETE CASCADE;
ALTER TABLE presences ADD FOREIGN KEY (platform_id) REFERENCES platforms;

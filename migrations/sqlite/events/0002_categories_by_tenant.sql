-- The categories of a tenant, by name: a stream prefix stands for the categories it begins, and a
-- tenant among many is found in the log through its categories.
CREATE INDEX categories_by_tenant ON categories (tenant, name);

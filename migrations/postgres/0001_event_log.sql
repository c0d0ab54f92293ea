-- The event log. Names get integer ids, so that the indexes stay narrow; ids are given out by
-- whoever holds the head.

-- One row: where the log stands. Every change of the log locks it first, so that positions are
-- given out in the order in which they become visible.
CREATE TABLE log_head (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    position    bigint  NOT NULL,  -- of the last event
    changes     bigint  NOT NULL,  -- grows with each transaction that changes anything of the log
    recorded_at bigint  NOT NULL,  -- of the last event, microseconds since 1970, UTC
    last_id     bigint  NOT NULL,  -- the highest id of a name or stream
    batch       uuid    NOT NULL   -- of the last transaction, so that its writer knows it again
) WITH (fillfactor = 10);
INSERT INTO log_head VALUES (true, 0, 0, 0, 0, '00000000-0000-0000-0000-000000000000');

-- kind: 1 tenant, 2 category, 3 type, 4 tag. A tenant's tenant is 0.
CREATE TABLE names (
    id     bigint   PRIMARY KEY,
    kind   smallint NOT NULL,
    tenant bigint   NOT NULL,
    name   text     COLLATE "C" NOT NULL,
    UNIQUE (kind, tenant, name)
);
-- A projection reads all tenants and asks for a name without one.
CREATE INDEX names_by_name ON names (kind, name);

-- A stream's version is that of its last event; a row here never changes by an append.
CREATE TABLE streams (
    id         bigint PRIMARY KEY,
    tenant     bigint NOT NULL,
    category   bigint NOT NULL,
    created_at bigint NOT NULL,
    name       text   COLLATE "C" NOT NULL,
    UNIQUE (tenant, name)
);

CREATE TABLE events (
    position       bigint  PRIMARY KEY,
    stream         bigint  NOT NULL,
    version        bigint  NOT NULL,
    type           bigint  NOT NULL,
    category       bigint  NOT NULL,
    tenant         bigint  NOT NULL,
    schema_version integer NOT NULL,
    place          integer NOT NULL,  -- within the request that wrote it, from 0
    recorded_at    bigint  NOT NULL,  -- microseconds since 1970, UTC
    id             uuid    NOT NULL,
    tags           text    NOT NULL,  -- names, each ended by a line feed
    metadata       text    NOT NULL,  -- empty means {}
    data           text    NOT NULL,  -- the bytes that came in: jsonb would change them
    checksum       bigint  NOT NULL   -- of all the others, with names for ids of tenant, stream, type
);
CREATE UNIQUE INDEX events_by_stream ON events (stream, version);
-- The id first: ids made by the log ascend, so the index grows at its end for all tenants.
CREATE UNIQUE INDEX events_by_id ON events (id, tenant);
CREATE INDEX events_by_type ON events (type, position);
CREATE INDEX events_by_category ON events (category, position);

CREATE TABLE event_tags (
    tag      bigint NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (tag, position)
);

CREATE TABLE idempotency_keys (
    tenant      bigint NOT NULL,
    key         text   COLLATE "C" NOT NULL,
    fingerprint bytea  NOT NULL,
    answer      text   NOT NULL,
    expires_at  bigint NOT NULL,
    PRIMARY KEY (tenant, key)
);
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);

-- What holds for a stream besides its events. Most streams have no row.
CREATE TABLE stream_rules (
    stream          bigint   PRIMARY KEY,
    tenant          bigint   NOT NULL,
    max_age_us      bigint   NOT NULL,  -- 0: no such rule
    max_count       bigint   NOT NULL,  -- 0: no such rule
    truncate_before bigint   NOT NULL,  -- versions below are not served; 0: no such rule
    deleted         smallint NOT NULL,  -- 0: no; 1: until it is written again; 2: for ever
    deleted_to      bigint   NOT NULL,  -- versions up to here were deleted
    changed_at      bigint   NOT NULL   -- log_head.changes of the last change
);
CREATE INDEX stream_rules_by_tenant ON stream_rules (tenant);
CREATE INDEX stream_rules_by_change ON stream_rules (changed_at);

-- Batches that have changed rules, for an hour, so that their writers know them again: others may
-- have written since, so log_head.batch does not tell.
CREATE TABLE rule_batches (
    batch   uuid        PRIMARY KEY,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX rule_batches_by_time ON rule_batches (made_at);

-- Positions whose events were removed on purpose, as ranges that do not meet. Written before the
-- events go, in the same transaction; never given back.
CREATE TABLE holes (
    first      bigint PRIMARY KEY,
    last       bigint NOT NULL,
    operation  text   NOT NULL,  -- which one made it: retention, deletion
    removed_at bigint NOT NULL   -- of the latest, microseconds since 1970, UTC
);

-- Ids of removed events, so that an append which is repeated still gets its first answer.
CREATE TABLE removed_ids (
    position    bigint  PRIMARY KEY,
    tenant      bigint  NOT NULL,
    stream      bigint  NOT NULL,
    version     bigint  NOT NULL,
    place       integer NOT NULL,
    recorded_at bigint  NOT NULL,
    forget_at   bigint  NOT NULL,  -- known at least until then
    id          uuid    NOT NULL,
    UNIQUE (id, tenant)
);
CREATE INDEX removed_ids_by_forgetting ON removed_ids (forget_at);
CREATE INDEX removed_ids_by_stream ON removed_ids (stream, position);

-- Categories whose streams are the history of an aggregate: only deletion removes their events.
CREATE TABLE kept_categories (
    name text COLLATE "C" PRIMARY KEY
);

-- Nothing changes an event, and nothing removes one but what has recorded the hole first.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% are immutable', TG_TABLE_NAME;
END $$;
CREATE FUNCTION refuse_unless_hole() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT coalesce((SELECT last >= OLD.position FROM holes WHERE first <= OLD.position
                     ORDER BY first DESC LIMIT 1), false) THEN
        RAISE EXCEPTION '% are immutable', TG_TABLE_NAME;
    END IF;
    RETURN OLD;
END $$;
CREATE FUNCTION refuse_undeleting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.deleted = 2 AND NEW.deleted <> 2
       OR NEW.deleted_to < OLD.deleted_to OR NEW.stream <> OLD.stream THEN
        RAISE EXCEPTION 'deletions are immutable';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER events_never_change BEFORE UPDATE ON events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER events_never_go BEFORE DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION refuse_unless_hole();
CREATE TRIGGER events_stay BEFORE TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER event_tags_never_change BEFORE UPDATE ON event_tags
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER event_tags_never_go BEFORE DELETE ON event_tags
    FOR EACH ROW EXECUTE FUNCTION refuse_unless_hole();
CREATE TRIGGER streams_never_change BEFORE UPDATE OR DELETE ON streams
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER tombstones_stay BEFORE UPDATE OR DELETE ON stream_rules
    FOR EACH ROW EXECUTE FUNCTION refuse_undeleting();

-- Writes one batch, or nothing. One call is one transaction and one round trip.
--
-- The caller has decided the batch on what it knows: that the log stands at `known_changes`, that
-- none of the streams `absent_names` (in `absent_tenants`, ids of tenants), event ids `absent_ids`
-- (in `absent_id_tenants`) and keys is there. Status: 0 written; 1 the log has moved; 2 one of
-- those is there. With 1 and 2 nothing is written, and the caller looks again.
--
-- Rows come as parallel arrays. `texts` holds metadata and data of all events one after the other,
-- cut by their lengths in bytes.
CREATE FUNCTION append_batch(
    this_batch uuid,
    known_changes bigint, new_position bigint, new_recorded_at bigint, new_last_id bigint,
    absent_tenants bigint[], absent_names text[],
    absent_id_tenants bigint[], absent_ids uuid[],
    name_ids bigint[], name_kinds smallint[], name_tenants bigint[], name_texts text[],
    stream_ids bigint[], stream_tenants bigint[], stream_categories bigint[], stream_names text[],
    e_stream bigint[], e_version bigint[], e_type bigint[], e_category bigint[], e_tenant bigint[],
    e_schema_version integer[], e_place integer[], e_id uuid[], e_tags text[],
    e_metadata_bytes integer[], e_data_bytes integer[], e_checksum bigint[], texts text,
    t_tag bigint[], t_position bigint[],
    k_tenant bigint[], k_key text[], k_fingerprint bytea[], k_answer text[], k_expires_at bigint[],
    absent_key_tenants bigint[], absent_keys text[], absent_keys_at bigint,
    r_stream bigint[], r_tenant bigint[], r_max_age_us bigint[], r_max_count bigint[],
    r_truncate_before bigint[], r_deleted smallint[], r_deleted_to bigint[])
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    base  bigint := new_position - cardinality(e_stream);
    bytes bytea;
BEGIN
    PERFORM 1 FROM log_head WHERE changes = known_changes FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 1;
    END IF;
    IF cardinality(absent_names) > 0 AND EXISTS (
           SELECT 1 FROM unnest(absent_tenants, absent_names) AS a(tenant, name)
           JOIN streams s ON s.tenant = a.tenant AND s.name = a.name)
       OR cardinality(absent_ids) > 0 AND (EXISTS (
           SELECT 1 FROM unnest(absent_id_tenants, absent_ids) AS a(tenant, id)
           JOIN events e ON e.id = a.id AND e.tenant = a.tenant)
         OR EXISTS (
           SELECT 1 FROM unnest(absent_id_tenants, absent_ids) AS a(tenant, id)
           JOIN removed_ids r ON r.id = a.id AND r.tenant = a.tenant))
       OR cardinality(absent_keys) > 0 AND EXISTS (
           SELECT 1 FROM unnest(absent_key_tenants, absent_keys) AS a(tenant, key)
           JOIN idempotency_keys k ON k.tenant = a.tenant AND k.key = a.key
           WHERE k.expires_at > absent_keys_at) THEN
        RETURN 2;
    END IF;
    UPDATE log_head SET position = new_position, changes = known_changes + 1,
                        recorded_at = new_recorded_at, last_id = new_last_id, batch = this_batch;
    IF cardinality(name_ids) > 0 THEN
        INSERT INTO names (id, kind, tenant, name)
            SELECT * FROM unnest(name_ids, name_kinds, name_tenants, name_texts);
    END IF;
    IF cardinality(stream_ids) > 0 THEN
        INSERT INTO streams (id, tenant, category, created_at, name)
            SELECT s.id, s.tenant, s.category, new_recorded_at, s.name
            FROM unnest(stream_ids, stream_tenants, stream_categories, stream_names)
                 AS s(id, tenant, category, name);
    END IF;
    IF cardinality(e_stream) > 0 THEN
        -- Pieces of bytes are found at once; characters would be counted from the start.
        bytes := convert_to(texts, 'UTF8');
        INSERT INTO events (position, stream, version, type, category, tenant, schema_version,
                            place, recorded_at, id, tags, metadata, data, checksum)
            SELECT base + c.n, c.stream, c.version, c.type, c.category, c.tenant, c.schema_version,
                   c.place, new_recorded_at, c.id, c.tags,
                   convert_from(substring(bytes FROM (c.data_end - c.data_bytes
                                                      - c.metadata_bytes + 1)::integer
                                                FOR c.metadata_bytes), 'UTF8'),
                   convert_from(substring(bytes FROM (c.data_end - c.data_bytes + 1)::integer
                                                FOR c.data_bytes), 'UTF8'),
                   c.checksum
            FROM (SELECT r.*, sum(r.metadata_bytes::bigint + r.data_bytes) OVER (ORDER BY r.n)
                              AS data_end
                  FROM unnest(e_stream, e_version, e_type, e_category, e_tenant, e_schema_version,
                              e_place, e_id, e_tags, e_metadata_bytes, e_data_bytes, e_checksum)
                       WITH ORDINALITY
                       AS r(stream, version, type, category, tenant, schema_version, place, id,
                            tags, metadata_bytes, data_bytes, checksum, n)) AS c;
    END IF;
    IF cardinality(t_tag) > 0 THEN
        INSERT INTO event_tags (tag, position) SELECT * FROM unnest(t_tag, t_position);
    END IF;
    IF cardinality(k_key) > 0 THEN
        INSERT INTO idempotency_keys (tenant, key, fingerprint, answer, expires_at)
            SELECT * FROM unnest(k_tenant, k_key, k_fingerprint, k_answer, k_expires_at)
            ON CONFLICT (tenant, key) DO UPDATE SET
                fingerprint = excluded.fingerprint, answer = excluded.answer,
                expires_at = excluded.expires_at;
    END IF;
    IF cardinality(r_stream) > 0 THEN
        DELETE FROM rule_batches WHERE made_at < clock_timestamp() - interval '1 hour';
        INSERT INTO rule_batches (batch) VALUES (this_batch);
        INSERT INTO stream_rules AS r (stream, tenant, max_age_us, max_count, truncate_before,
                                       deleted, deleted_to, changed_at)
            SELECT u.*, known_changes + 1
            FROM unnest(r_stream, r_tenant, r_max_age_us, r_max_count, r_truncate_before,
                        r_deleted, r_deleted_to) AS u
            ON CONFLICT (stream) DO UPDATE SET
                max_age_us = excluded.max_age_us, max_count = excluded.max_count,
                truncate_before = excluded.truncate_before, deleted = excluded.deleted,
                deleted_to = excluded.deleted_to, changed_at = excluded.changed_at;
    END IF;
    RETURN 0;
END $$;

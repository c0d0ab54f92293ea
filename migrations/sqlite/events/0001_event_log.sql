-- The event log. Names get integer ids per tenant, so that the indexes stay narrow.

CREATE TABLE tenants (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- By name first: a projection reads all tenants and asks for a name without one.
CREATE TABLE types (
    id     INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    name   TEXT NOT NULL,
    UNIQUE (name, tenant)
) STRICT;

CREATE TABLE categories (
    id     INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    name   TEXT NOT NULL,
    UNIQUE (name, tenant)
) STRICT;

CREATE TABLE tags (
    id     INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    name   TEXT NOT NULL,
    UNIQUE (name, tenant)
) STRICT;

-- A stream's version is that of its last event; a row here never changes by an append.
CREATE TABLE streams (
    id         INTEGER PRIMARY KEY,
    tenant     INTEGER NOT NULL,
    category   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    name       TEXT NOT NULL,
    UNIQUE (tenant, name)
) STRICT;

CREATE TABLE events (
    position       INTEGER PRIMARY KEY,
    stream         INTEGER NOT NULL,
    version        INTEGER NOT NULL,
    type           INTEGER NOT NULL,
    category       INTEGER NOT NULL,
    tenant         INTEGER NOT NULL,
    schema_version INTEGER NOT NULL,
    place          INTEGER NOT NULL,  -- within the request that wrote it, from 0
    recorded_at    INTEGER NOT NULL,  -- microseconds since 1970, UTC
    checksum       INTEGER NOT NULL,  -- XXH3 over everything else, names included
    id             BLOB    NOT NULL,  -- 16 bytes
    tags           BLOB    NOT NULL,  -- names, each after its length in one byte
    metadata       TEXT    NOT NULL,  -- empty means {}
    data           TEXT    NOT NULL
) STRICT;

CREATE UNIQUE INDEX events_by_stream ON events (stream, version);
-- The id first: ids made by the log ascend, so the index grows at its end for all tenants.
CREATE UNIQUE INDEX events_by_id ON events (id, tenant);
-- Every index ends with the position: it is the rowid.
CREATE INDEX events_by_type ON events (type);
CREATE INDEX events_by_category ON events (category);

CREATE TABLE event_tags (
    tag      INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (tag, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    id          INTEGER PRIMARY KEY,
    tenant      INTEGER NOT NULL,
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL,
    answer      TEXT    NOT NULL,
    expires_at  INTEGER NOT NULL,
    UNIQUE (tenant, key)
) STRICT;
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);

CREATE TRIGGER events_never_change BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are immutable'); END;
CREATE TRIGGER events_never_go BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are immutable'); END;
CREATE TRIGGER event_tags_never_change BEFORE UPDATE ON event_tags
BEGIN SELECT RAISE(ABORT, 'events are immutable'); END;
CREATE TRIGGER event_tags_never_go BEFORE DELETE ON event_tags
BEGIN SELECT RAISE(ABORT, 'events are immutable'); END;
CREATE TRIGGER streams_never_change BEFORE UPDATE ON streams
BEGIN SELECT RAISE(ABORT, 'streams are immutable'); END;
CREATE TRIGGER streams_never_go BEFORE DELETE ON streams
BEGIN SELECT RAISE(ABORT, 'streams are immutable'); END;

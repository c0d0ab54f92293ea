-- Retention, deletion, and what they leave behind.
--
-- Each row carries a checksum: XXH3 over its other columns in order (store/sqlite/rule_rows.hpp).

-- What holds for a stream besides its events. Most streams have no row.
CREATE TABLE stream_rules (
    stream          INTEGER PRIMARY KEY,  -- streams.id
    tenant          INTEGER NOT NULL,
    max_age_us      INTEGER NOT NULL,     -- 0: no such rule
    max_count       INTEGER NOT NULL,     -- 0: no such rule
    truncate_before INTEGER NOT NULL,     -- versions below are not served; 0: no such rule
    deleted         INTEGER NOT NULL,     -- 0: no; 1: until it is written again; 2: for ever
    deleted_to      INTEGER NOT NULL,     -- versions up to here were deleted
    checksum        INTEGER NOT NULL
) STRICT;
CREATE INDEX stream_rules_by_tenant ON stream_rules (tenant);

CREATE TRIGGER tombstones_stay BEFORE UPDATE ON stream_rules
WHEN OLD.deleted=2 AND NEW.deleted<>2 OR NEW.deleted_to<OLD.deleted_to OR NEW.stream<>OLD.stream
BEGIN SELECT RAISE(ABORT, 'deletions are immutable'); END;
CREATE TRIGGER stream_rules_never_go BEFORE DELETE ON stream_rules
BEGIN SELECT RAISE(ABORT, 'deletions are immutable'); END;

-- Positions whose events were removed on purpose, as ranges that do not meet. Written before the
-- events go, in the same transaction; never given back. A position below the head that is neither
-- in `events` nor here was lost.
CREATE TABLE holes (
    first      INTEGER PRIMARY KEY,
    last       INTEGER NOT NULL,
    operation  TEXT    NOT NULL,  -- which one made it: retention, deletion
    removed_at INTEGER NOT NULL,  -- of the latest, microseconds since 1970, UTC
    checksum   INTEGER NOT NULL
) STRICT;

CREATE TRIGGER holes_never_shrink BEFORE UPDATE ON holes
WHEN NEW.first<>OLD.first OR NEW.last<OLD.last
BEGIN SELECT RAISE(ABORT, 'holes are immutable'); END;
-- Two that have come to meet become one: the upper goes when the lower has grown over it.
CREATE TRIGGER holes_never_go BEFORE DELETE ON holes
WHEN NOT EXISTS (SELECT 1 FROM holes h WHERE h.first<OLD.first AND h.last>=OLD.last)
BEGIN SELECT RAISE(ABORT, 'holes are immutable'); END;

-- Ids of removed events, so that an append which is repeated still gets its first answer.
CREATE TABLE removed_ids (
    position    INTEGER PRIMARY KEY,
    tenant      INTEGER NOT NULL,
    stream      INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    place       INTEGER NOT NULL,  -- within the request that wrote it, from 0
    recorded_at INTEGER NOT NULL,
    forget_at   INTEGER NOT NULL,  -- known at least until then
    id          BLOB    NOT NULL,
    checksum    INTEGER NOT NULL,
    UNIQUE (id, tenant)
) STRICT;
CREATE INDEX removed_ids_by_forgetting ON removed_ids (forget_at);

-- Categories whose streams are the history of an aggregate: only deletion removes their events.
CREATE TABLE kept_categories (
    name     TEXT PRIMARY KEY,
    checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Nothing removes an event but what has recorded the hole first.
DROP TRIGGER events_never_go;
CREATE TRIGGER events_never_go BEFORE DELETE ON events
WHEN NOT coalesce((SELECT last>=OLD.position FROM holes WHERE first<=OLD.position
                   ORDER BY first DESC LIMIT 1), 0)
BEGIN SELECT RAISE(ABORT, 'events are immutable'); END;
DROP TRIGGER event_tags_never_go;
CREATE TRIGGER event_tags_never_go BEFORE DELETE ON event_tags
WHEN NOT coalesce((SELECT last>=OLD.position FROM holes WHERE first<=OLD.position
                   ORDER BY first DESC LIMIT 1), 0)
BEGIN SELECT RAISE(ABORT, 'events are immutable'); END;

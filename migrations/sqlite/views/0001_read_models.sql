-- Read models. Each generation's rows stand in tables of their own, rows_<generation>_<number>,
-- made and dropped with it.

-- AUTOINCREMENT: the id is part of table names and is never given out twice.
CREATE TABLE generations (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    projection      TEXT    NOT NULL,
    version         INTEGER NOT NULL,
    checkpoint      INTEGER NOT NULL,
    serving         INTEGER NOT NULL,
    paused          INTEGER NOT NULL,
    stopped_because TEXT    NOT NULL
) STRICT;
CREATE INDEX generations_by_projection ON generations (projection);

CREATE TABLE models (
    generation INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    indexed    TEXT    NOT NULL,  -- JSON array of field names
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (generation, number)
) STRICT, WITHOUT ROWID;

-- Moves whenever a reader must look up again which tables serve.
CREATE TABLE catalogue (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    changes INTEGER NOT NULL
) STRICT;
INSERT INTO catalogue VALUES (1, 0);

-- Folded states of aggregates. Derived from the log: any row may be missing.
CREATE TABLE snapshots (
    tenant   TEXT    NOT NULL,
    stream   TEXT    NOT NULL,
    reducer  INTEGER NOT NULL,  -- the version of what folded it
    version  INTEGER NOT NULL,  -- of the last event folded
    event_id BLOB    NOT NULL,  -- of that event: the state is of this history and no other
    state    BLOB    NOT NULL,
    checksum INTEGER NOT NULL,  -- XXH3 over everything else
    PRIMARY KEY (tenant, stream, reducer)
) STRICT;

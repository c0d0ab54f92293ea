-- Folded states of aggregates. Derived: any of them may be lost.
CREATE TABLE snapshots (
    tenant   text    COLLATE "C" NOT NULL,
    stream   text    COLLATE "C" NOT NULL,
    reducer  bigint  NOT NULL,  -- version of the reducer that folded it
    version  bigint  NOT NULL,  -- of the last event folded
    event_id uuid    NOT NULL,  -- of that event
    checksum bigint  NOT NULL,  -- of all the others
    state    bytea   NOT NULL,
    PRIMARY KEY (tenant, stream, reducer)
);

-- Read models: derived from the log, and made again from it when they are lost.
--
-- The rows of a model stand in a table of their generation, which the program makes with it:
--   rows_<generation>_<number>(tenant, key, position, row, f0, f1, …), one f for each indexed field.

-- One row. Whoever changes generations locks it first, so that they change one after the other.
CREATE TABLE catalogue (
    one             boolean PRIMARY KEY DEFAULT true CHECK (one),
    changes         bigint  NOT NULL,  -- grows whenever other tables serve: readers look again then
    last_generation bigint  NOT NULL   -- ids are never given twice, so names of tables are not either
) WITH (fillfactor = 10);
INSERT INTO catalogue VALUES (true, 0, 0);

CREATE TABLE generations (
    id              bigint  PRIMARY KEY,
    projection      text    COLLATE "C" NOT NULL,
    version         bigint  NOT NULL,
    checkpoint      bigint  NOT NULL,
    commits         bigint  NOT NULL,  -- grows with each commit, also one that leaves the checkpoint
    serving         boolean NOT NULL,
    paused          boolean NOT NULL,
    stopped_because text    NOT NULL
) WITH (fillfactor = 30);

CREATE TABLE models (
    generation bigint  NOT NULL,
    number     integer NOT NULL,
    name       text    COLLATE "C" NOT NULL,
    indexed    text    NOT NULL,  -- JSON array of the fields' names; the nth is column f<n>
    changed_at bigint  NOT NULL,  -- position of the last event that changed a row
    PRIMARY KEY (generation, number)
) WITH (fillfactor = 30);

-- Tables of generations that are gone. They are dropped when no reader can need them any more.
CREATE TABLE tables_left (
    name    text        COLLATE "C" PRIMARY KEY,
    left_at timestamptz NOT NULL
);

-- Fails the transaction of a reader that knows other tables than those that serve.
CREATE FUNCTION expect_catalogue(known bigint) RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM catalogue WHERE changes = known) THEN
        RAISE EXCEPTION 'other tables serve by now';
    END IF;
END $$;

-- Drops the tables left longer ago than `grace`; one that somebody still reads waits for the next
-- call. Answers how many there still are.
CREATE FUNCTION drop_tables_left(grace interval) RETURNS bigint LANGUAGE plpgsql
SET lock_timeout = '100ms' AS $$
DECLARE
    gone text;
BEGIN
    FOR gone IN SELECT name FROM tables_left WHERE left_at <= clock_timestamp() - grace
                ORDER BY name FOR UPDATE SKIP LOCKED LOOP
        BEGIN
            EXECUTE format('DROP TABLE IF EXISTS %I', gone);
            DELETE FROM tables_left WHERE name = gone;
        EXCEPTION WHEN lock_not_available THEN
            NULL;
        END;
    END LOOP;
    RETURN (SELECT count(*) FROM tables_left);
END $$;

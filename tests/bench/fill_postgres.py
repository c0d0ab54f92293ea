"""A log of many events in PostgreSQL, quickly: by SQL, straight into the tables of a schema that nobody uses meanwhile."""
from measure import PAYLOAD

PER_TRANSACTION = 500_000

# Events as appends of one event each would have left them, in turn to all streams; ids are time-ordered. Their checksums
# are not right: they are for appending behind them, not for reading.
NAMES = """
INSERT INTO names VALUES (1, 1, 0, 'default'), (2, 2, 1, 'bench'), (3, 3, 1, 'bench.happened') ON CONFLICT DO NOTHING;
INSERT INTO streams SELECT 100 + n, 1, 2, (extract(epoch FROM now()) * 1e6)::bigint, 'bench-' || n
  FROM generate_series(0, {streams} - 1) AS n ON CONFLICT DO NOTHING;
UPDATE log_head SET last_id = greatest(last_id, 99 + {streams}), changes = changes + 1;
"""
EVENTS = """
WITH moment AS (SELECT greatest(recorded_at, (extract(epoch FROM clock_timestamp()) * 1e6)::bigint) AS us FROM log_head),
known AS MATERIALIZED (SELECT s.id, row_number() OVER (ORDER BY s.id) - 1 AS n,
  coalesce((SELECT max(version) FROM events e WHERE e.stream = s.id), 0) AS version FROM streams s WHERE s.id BETWEEN 100 AND 99 + {streams})
INSERT INTO events SELECT {first} + i, k.id, k.version + i / {streams} + 1, 3, 2, 1, 1, 0, m.us,
  (lpad(to_hex(m.us / 1000), 12, '0') || '7' || lpad(to_hex(i / 1000 % 4096), 3, '0') || '8'
   || lpad(to_hex(i % 1000), 3, '0') || lpad(to_hex({first} + i), 12, '0'))::uuid, '', '', '{payload}', 0
FROM moment m, generate_series(0, {count} - 1) AS i JOIN known k ON k.n = i % {streams} ORDER BY i;
UPDATE log_head SET position = {first} + {count} - 1, changes = changes + 1,
  recorded_at = (SELECT recorded_at FROM events WHERE position = {first} + {count} - 1);
"""


def fill_log(server, schema, events, streams):
    """Adds to the log until `events` are there, in `streams` streams bench-0, bench-1…; then nothing is left to do behind it."""
    def run(sql, **values):
        server.psql(f"SET search_path TO {schema}; SET synchronous_commit TO off; BEGIN; "
                    + sql.format(streams=streams, payload=PAYLOAD, **values) + "COMMIT")
    position = int(server.psql(f"SELECT position FROM {schema}.log_head"))
    run(NAMES)
    while position < events:
        count = min(PER_TRANSACTION, events - position)
        run(EVENTS, first=position + 1, count=count)
        position += count
    server.psql(f"VACUUM ANALYZE {schema}.events; VACUUM ANALYZE {schema}.streams; CHECKPOINT")

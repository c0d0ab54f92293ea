-- The space of events that are not served any more is freed in small steps.

CREATE FUNCTION refuse_shrinking() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.first <> OLD.first OR NEW.last < OLD.last THEN
            RAISE EXCEPTION 'holes are immutable';
        END IF;
        RETURN NEW;
    END IF;
    -- Two that have come to meet become one: the upper goes when the lower has grown over it.
    IF NOT EXISTS (SELECT 1 FROM holes h WHERE h.first < OLD.first AND h.last >= OLD.last) THEN
        RAISE EXCEPTION 'holes are immutable';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER holes_never_shrink BEFORE UPDATE OR DELETE ON holes
    FOR EACH ROW EXECUTE FUNCTION refuse_shrinking();

-- Position `at` is a hole from now on; it joins its neighbours.
CREATE FUNCTION add_hole(at bigint, why text, moment bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    upper_last bigint;
    lower_first bigint;
BEGIN
    SELECT last INTO upper_last FROM holes WHERE first = at + 1;
    SELECT first INTO lower_first FROM holes WHERE last = at - 1 AND first <= at
        ORDER BY first DESC LIMIT 1;
    IF lower_first IS NULL THEN
        INSERT INTO holes (first, last, operation, removed_at)
            VALUES (at, coalesce(upper_last, at), why, moment);
    ELSE
        UPDATE holes SET last = coalesce(upper_last, at), operation = why, removed_at = moment
            WHERE first = lower_first;
    END IF;
    IF upper_last IS NOT NULL THEN
        DELETE FROM holes WHERE first = at + 1;
    END IF;
END $$;
CREATE INDEX holes_by_last ON holes (last);

-- Removes up to `events_max` events that are not served at `moment` from the streams with rules
-- above `after_stream`, each from its beginning on, looking at up to `streams_max` of them. Times
-- ascend with versions, so a stream's first event that is served is the first that stays. What
-- stays, too: the log's last event, which says where positions go on, and a stream's last one,
-- which says its version, unless a deletion does. `stream_id`: the next step goes on above it; null
-- when no stream is left. The head is locked only when there is something to remove.
CREATE FUNCTION reclaim_step(after_stream bigint, moment bigint, ids_until bigint,
                             events_max integer, streams_max integer,
                             OUT stream_id bigint, OUT removed integer)
LANGUAGE plpgsql AS $$
DECLARE
    candidate bigint;
    rule    stream_rules;
    head    bigint;
    newest  bigint;
    beneath bigint;   -- versions below are not served
    oldest  bigint;   -- events recorded before are not served
    victim  record;
BEGIN
    removed := 0;
    FOR candidate IN SELECT stream FROM stream_rules WHERE stream > after_stream ORDER BY stream
                     LIMIT streams_max
    LOOP
        LOOP
            SELECT * INTO rule FROM stream_rules WHERE stream = candidate;
            SELECT max(version) INTO newest FROM events WHERE stream = rule.stream;
            beneath := rule.deleted_to + 1;
            oldest := -9223372036854775808;
            IF rule.deleted = 0 AND NOT EXISTS (
                   SELECT 1 FROM streams s JOIN names c ON c.id = s.category
                   JOIN kept_categories k ON k.name = c.name WHERE s.id = rule.stream) THEN
                beneath := greatest(beneath, rule.truncate_before);
                IF rule.max_count <> 0 THEN
                    beneath := greatest(beneath, newest - rule.max_count + 1);
                END IF;
                IF rule.max_age_us <> 0 THEN
                    oldest := moment - rule.max_age_us;
                END IF;
            END IF;
            EXIT WHEN head IS NOT NULL OR NOT EXISTS (
                SELECT 1 FROM (SELECT * FROM events f WHERE f.stream = rule.stream
                               ORDER BY f.version LIMIT 1) e
                WHERE (e.version < beneath OR e.recorded_at < oldest)
                  AND (e.version < newest OR e.version <= rule.deleted_to));
            -- Behind the lock the rule may be another, and its events removed by another server.
            SELECT position INTO STRICT head FROM log_head FOR UPDATE;
        END LOOP;
        FOR victim IN
            SELECT e.position, e.tenant, e.version, e.place, e.recorded_at, e.id, e.tags
            FROM events e
            WHERE e.stream = rule.stream AND (e.version < newest OR e.version <= rule.deleted_to)
              AND head IS NOT NULL
            ORDER BY e.version LIMIT events_max - removed
        LOOP
            EXIT WHEN victim.position >= head
                OR NOT (victim.version < beneath OR victim.recorded_at < oldest);
            PERFORM add_hole(victim.position,
                             CASE WHEN victim.version <= rule.deleted_to THEN 'deletion'
                                  ELSE 'retention' END, moment);
            INSERT INTO removed_ids (position, tenant, stream, version, place, recorded_at,
                                     forget_at, id)
                VALUES (victim.position, victim.tenant, rule.stream, victim.version, victim.place,
                        victim.recorded_at, ids_until, victim.id);
            IF victim.tags <> '' THEN
                DELETE FROM event_tags t
                    WHERE t.position = victim.position AND t.tag IN (
                        SELECT n.id FROM names n WHERE n.kind = 4 AND n.tenant = victim.tenant
                        AND n.name = ANY (string_to_array(rtrim(victim.tags, E'\n'), E'\n')));
            END IF;
            DELETE FROM events WHERE position = victim.position;
            removed := removed + 1;
        END LOOP;
        -- Full: this stream may have more.
        EXIT WHEN removed >= events_max;
        stream_id := candidate;
    END LOOP;
    IF removed >= events_max AND stream_id IS NULL THEN
        stream_id := after_stream;
    END IF;
END $$;

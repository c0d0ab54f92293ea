/* What PostgreSQL itself gives on this machine: plain libpq over the server's own tables and
 * indexes (a schema that a server has made), no HTTP, no JSON. The baselines for appends there.
 *
 *   baseline_postgres CONNINFO SCHEMA bulk EVENTS_PER_COMMIT EVENTS_PER_APPEND STREAMS SECONDS
 *       one connection; each commit moves the head and writes its events by unnest
 *   baseline_postgres CONNINFO SCHEMA single CONNECTIONS STREAMS SECONDS
 *       a thread per connection; each append is a transaction of its own: the head row is locked
 *       and moved, the event inserted, in one statement and one round trip
 *
 * Nobody else writes to that schema meanwhile: positions go on from its head. Prints JSON.
 */
#include <libpq-fe.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char payload[] =
    "{\"customer\":\"17850\",\"amount\":1234,\"note\":\"a payload of about a hundred bytes, as "
    "orders have them\"}";

static void fail_with(const char* what, const char* why) {
    fprintf(stderr, "baseline_postgres: %s: %s\n", what, why);
    exit(1);
}

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int64_t unix_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static uint64_t random_64(uint64_t* state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Time-ordered, like UUIDv7. */
static int write_id(char* to, uint64_t* random, uint64_t counter) {
    const uint64_t ms = (uint64_t)(unix_us() / 1000), low = random_64(random);
    return sprintf(to, "%08llx-%04llx-7%03llx-%04llx-%012llx", (unsigned long long)(ms >> 16),
                   (unsigned long long)(ms & 0xffff), (unsigned long long)(counter & 0xfff),
                   (unsigned long long)(0x8000 | (low & 0x3fff)), (unsigned long long)(low >> 16));
}

static PGconn* open_session(const char* conninfo, const char* schema) {
    PGconn* db = PQconnectdb(conninfo);
    if (PQstatus(db) != CONNECTION_OK) fail_with("connect", PQerrorMessage(db));
    char text[256];
    snprintf(text, sizeof text, "SET search_path TO \"%s\"; SET client_min_messages TO warning",
             schema);
    PGresult* done = PQexec(db, text);
    if (PQresultStatus(done) != PGRES_COMMAND_OK) fail_with(text, PQerrorMessage(db));
    PQclear(done);
    return db;
}

static void demand(PGconn* db, PGresult* done, const char* what) {
    const ExecStatusType status = PQresultStatus(done);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_with(what, PQerrorMessage(db));
    PQclear(done);
}

static void run(PGconn* db, const char* text) { demand(db, PQexec(db, text), text); }

static void prepare(PGconn* db, const char* name, const char* text) {
    demand(db, PQprepare(db, name, text, 0, NULL), text);
}

static int64_t number(PGconn* db, const char* text) {
    PGresult* rows = PQexec(db, text);
    if (PQresultStatus(rows) != PGRES_TUPLES_OK || PQntuples(rows) != 1)
        fail_with(text, PQerrorMessage(db));
    const int64_t found = atoll(PQgetvalue(rows, 0, 0));
    PQclear(rows);
    return found;
}

/* The versions of the streams 101 to 100 + `streams`, which are made if they are not there. */
static int64_t* make_streams(PGconn* db, int streams) {
    char text[512];
    run(db,
        "INSERT INTO names VALUES (1, 1, 0, 'default'), (2, 2, 1, 'bench'),"
        " (3, 3, 1, 'bench.happened') ON CONFLICT DO NOTHING");
    snprintf(
        text, sizeof text,
        "INSERT INTO streams SELECT 100 + n, 1, 2, 0, 'bench-' || n FROM generate_series(1, %d)"
        " AS n ON CONFLICT DO NOTHING",
        streams);
    run(db, text);
    int64_t* versions = calloc((size_t)streams, sizeof *versions);
    PGresult* rows = PQexec(db, "SELECT stream, max(version) FROM events GROUP BY stream");
    if (PQresultStatus(rows) != PGRES_TUPLES_OK) fail_with("versions", PQerrorMessage(db));
    for (int row = 0; row < PQntuples(rows); ++row) {
        const int stream = atoi(PQgetvalue(rows, row, 0)) - 101;
        if (stream >= 0 && stream < streams) versions[stream] = atoll(PQgetvalue(rows, row, 1));
    }
    PQclear(rows);
    return versions;
}

/* Text arrays, the columns that are not the same for all events. */
enum {
    column_position,
    column_stream,
    column_version,
    column_place,
    column_id,
    column_data,
    columns
};

static const char* insert_batch =
    "INSERT INTO events (position, stream, version, type, category, tenant, schema_version, place,"
    " recorded_at, id, tags, metadata, data, checksum)"
    " SELECT e.position, e.stream, e.version, 3, 2, 1, 1, e.place, $7::bigint, e.id, '', '', "
    "e.data,"
    " e.position"
    " FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::integer[], $5::uuid[], $6::text[])"
    " AS e(position, stream, version, place, id, data)";
static const char* move_head =
    "UPDATE log_head SET position = $1, changes = changes + 1, recorded_at = $2";

static void bench_bulk(PGconn* db, int per_commit, int per_append, int streams, double seconds) {
    int64_t* versions = make_streams(db, streams);
    const int64_t first = number(db, "SELECT position FROM log_head");
    prepare(db, "move_head", move_head);
    prepare(db, "insert_batch", insert_batch);
    /* As an element of a text array. */
    char quoted[2 * sizeof payload + 2];
    char* at_quoted = quoted;
    *at_quoted++ = '"';
    for (const char* c = payload; *c; ++c) {
        if (*c == '"' || *c == '\\') *at_quoted++ = '\\';
        *at_quoted++ = *c;
    }
    *at_quoted++ = '"';
    const size_t quoted_size = (size_t)(at_quoted - quoted);
    char* arrays[columns];
    char* at[columns];
    for (int i = 0; i < columns; ++i)
        arrays[i] = malloc((size_t)per_commit * (i == column_data ? quoted_size + 1 : 48) + 8);
    uint64_t random = 88172645463325252ULL;
    int64_t position = first, commits = 0;
    const double begin = now_s();
    while (now_s() - begin < seconds) {
        for (int i = 0; i < columns; ++i) {
            at[i] = arrays[i];
            *at[i]++ = '{';
        }
        for (int done = 0; done < per_commit;) {
            const int stream = (int)(random_64(&random) % (uint64_t)streams);
            for (int place = 0; place < per_append && done < per_commit; ++place, ++done) {
                if (done)
                    for (int i = 0; i < columns; ++i) *at[i]++ = ',';
                at[column_position] += sprintf(at[column_position], "%lld", (long long)++position);
                at[column_stream] += sprintf(at[column_stream], "%d", 101 + stream);
                at[column_version] +=
                    sprintf(at[column_version], "%lld", (long long)++versions[stream]);
                at[column_place] += sprintf(at[column_place], "%d", place);
                at[column_id] += write_id(at[column_id], &random, (uint64_t)position);
                memcpy(at[column_data], quoted, quoted_size);
                at[column_data] += quoted_size;
            }
        }
        for (int i = 0; i < columns; ++i) memcpy(at[i], "}", 2);
        char head[24], moment[24];
        sprintf(head, "%lld", (long long)position);
        sprintf(moment, "%lld", (long long)unix_us());
        run(db, "BEGIN");
        const char* of_head[] = {head, moment};
        demand(db, PQexecPrepared(db, "move_head", 2, of_head, NULL, NULL, 0), move_head);
        const char* of_batch[] = {arrays[0], arrays[1], arrays[2], arrays[3],
                                  arrays[4], arrays[5], moment};
        demand(db, PQexecPrepared(db, "insert_batch", 7, of_batch, NULL, NULL, 0), insert_batch);
        run(db, "COMMIT");
        ++commits;
    }
    const double took = now_s() - begin;
    const double events = (double)(position - first);
    printf("{\"items_per_s\":%.1f,\"per_s\":%.1f,\"commits_per_s\":%.1f}\n", events / took,
           events / per_append / took, (double)commits / took);
    for (int i = 0; i < columns; ++i) free(arrays[i]);
    free(versions);
}

/* Each session has streams of its own, so it knows their versions as the server would. */
static const char* append_one =
    "WITH head AS (UPDATE log_head SET position = position + 1, changes = changes + 1,"
    " recorded_at = greatest(recorded_at, $3::bigint) RETURNING position, recorded_at)"
    " INSERT INTO events (position, stream, version, type, category, tenant, schema_version, place,"
    " recorded_at, id, tags, metadata, data, checksum)"
    " SELECT position, $1::bigint, $2::bigint, 3, 2, 1, 1, 0, recorded_at, $4::uuid, '', '',"
    " $5::text, position FROM head";

struct appender {
    pthread_t thread;
    PGconn* db;
    int64_t* versions;
    int number, of, streams;
    double until;
    int64_t count;
};

static void* append_singly(void* given) {
    struct appender* own = given;
    uint64_t random = 88172645463325252ULL + (uint64_t)own->number * 7919;
    const int each = own->streams / own->of;
    while (now_s() < own->until) {
        const int stream = own->number * each + (int)(random_64(&random) % (uint64_t)each);
        char id[48], of_stream[16], version[24], moment[24];
        sprintf(of_stream, "%d", 101 + stream);
        sprintf(version, "%lld", (long long)++own->versions[stream]);
        sprintf(moment, "%lld", (long long)unix_us());
        write_id(id, &random, (uint64_t)own->count);
        const char* with[] = {of_stream, version, moment, id, payload};
        demand(own->db, PQexecPrepared(own->db, "append_one", 5, with, NULL, NULL, 0), append_one);
        ++own->count;
    }
    return NULL;
}

static void bench_single(const char* conninfo, const char* schema, int sessions, int streams,
                         double seconds) {
    PGconn* first = open_session(conninfo, schema);
    int64_t* versions = make_streams(first, streams);
    PQfinish(first);
    struct appender* all = calloc((size_t)sessions, sizeof *all);
    for (int i = 0; i < sessions; ++i) {
        all[i].db = open_session(conninfo, schema);
        prepare(all[i].db, "append_one", append_one);
        all[i].versions = versions;
        all[i].number = i;
        all[i].of = sessions;
        all[i].streams = streams;
    }
    const double begin = now_s();
    for (int i = 0; i < sessions; ++i) {
        all[i].until = begin + seconds;
        if (pthread_create(&all[i].thread, NULL, append_singly, &all[i]) != 0)
            fail_with("thread", "not started");
    }
    int64_t count = 0;
    for (int i = 0; i < sessions; ++i) {
        pthread_join(all[i].thread, NULL);
        count += all[i].count;
        PQfinish(all[i].db);
    }
    printf("{\"per_s\":%.1f,\"count\":%lld}\n", (double)count / (now_s() - begin),
           (long long)count);
    free(all);
    free(versions);
}

int main(int argc, char** argv) {
    if (argc == 8 && strcmp(argv[3], "bulk") == 0) {
        PGconn* db = open_session(argv[1], argv[2]);
        bench_bulk(db, atoi(argv[4]), atoi(argv[5]), atoi(argv[6]), atof(argv[7]));
        PQfinish(db);
    } else if (argc == 7 && strcmp(argv[3], "single") == 0) {
        bench_single(argv[1], argv[2], atoi(argv[4]), atoi(argv[5]), atof(argv[6]));
    } else {
        fprintf(stderr, "see the head of baseline_postgres.c\n");
        return 2;
    }
    return 0;
}

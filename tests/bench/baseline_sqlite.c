/* What SQLite itself gives on this machine: a plain C loop over the server's own tables and
 * indexes, no HTTP, no JSON, one thread. The baseline for bulk appends and stream reads.
 *
 *   baseline_sqlite FOLDER SCHEMA.sql append ordered|random EVENTS_PER_COMMIT EVENTS_PER_APPEND
 * STREAMS SECONDS baseline_sqlite FOLDER SCHEMA.sql read EVENTS_PER_READ STREAMS SECONDS (fills the
 * database first)
 *
 * Durable as the server is: WAL, synchronous=FULL, checkpoints by the same connection. Prints JSON.
 */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static sqlite3* db;

static void demand(int holds, const char* what) {
    if (holds) return;
    fprintf(stderr, "baseline_sqlite: %s: %s\n", what, db ? sqlite3_errmsg(db) : "");
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

static uint64_t random_state = 88172645463325252ULL;
static uint64_t random_64(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* 16 bytes; time-ordered like UUIDv7, or random. */
static void make_id(unsigned char id[16], int ordered) {
    static uint64_t counter;
    const uint64_t high =
        ordered ? ((uint64_t)(unix_us() / 1000) << 16) | (counter++ & 0xffff) : random_64();
    const uint64_t low = random_64();
    for (int at = 0; at < 8; ++at) {
        id[at] = (unsigned char)(high >> (56 - 8 * at));
        id[8 + at] = (unsigned char)(low >> (56 - 8 * at));
    }
}

static void run(const char* sql) {
    demand(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, sql);
}

static sqlite3_stmt* prepare(const char* sql) {
    sqlite3_stmt* made = NULL;
    demand(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &made, NULL) == SQLITE_OK,
           sql);
    return made;
}

static void open_database(const char* folder, const char* schema) {
    char path[4096];
    snprintf(path, sizeof path, "%s/baseline.db", folder);
    remove(path);
    demand(sqlite3_open(path, &db) == SQLITE_OK, "open");
    run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536; PRAGMA "
        "temp_store=MEMORY;"
        "PRAGMA wal_autocheckpoint=8000");
    FILE* file = fopen(schema, "rb");
    demand(file != NULL, schema);
    static char text[1 << 16];
    const size_t size = fread(text, 1, sizeof text - 1, file);
    text[size] = 0;
    fclose(file);
    run(text);
    run("INSERT INTO tenants VALUES (1, 'default'); INSERT INTO types VALUES (1, 1, "
        "'bench.happened');"
        "INSERT INTO categories VALUES (1, 1, 'bench')");
}

static void make_streams(int streams) {
    sqlite3_stmt* insert = prepare("INSERT INTO streams VALUES (?1, 1, 1, 0, ?2)");
    run("BEGIN");
    for (int id = 1; id <= streams; ++id) {
        char name[32];
        const int length = snprintf(name, sizeof name, "bench-%d", id);
        sqlite3_bind_int(insert, 1, id);
        sqlite3_bind_text(insert, 2, name, length, SQLITE_STATIC);
        demand(sqlite3_step(insert) == SQLITE_DONE, "insert stream");
        sqlite3_reset(insert);
    }
    run("COMMIT");
    sqlite3_finalize(insert);
}

static int64_t position;
static int64_t* versions;

/* `count` events in one transaction, `per_append` of them in a row to one stream. */
static void append(sqlite3_stmt* insert, int count, int per_append, int streams, int ordered) {
    static const char data[] =
        "{\"customer\":\"17850\",\"amount\":1234,\"note\":\"a payload of about a hundred bytes, as "
        "orders have them\"}";
    run("BEGIN IMMEDIATE");
    for (int done = 0; done < count;) {
        const int stream = (int)(random_64() % (uint64_t)streams);
        for (int place = 0; place < per_append && done < count; ++place, ++done) {
            unsigned char id[16];
            make_id(id, ordered);
            sqlite3_bind_int64(insert, 1, ++position);
            sqlite3_bind_int64(insert, 2, stream + 1);
            sqlite3_bind_int64(insert, 3, ++versions[stream]);
            sqlite3_bind_int(insert, 4, place);
            sqlite3_bind_int64(insert, 5, unix_us());
            sqlite3_bind_int64(insert, 6, (int64_t)random_64());
            sqlite3_bind_blob(insert, 7, id, sizeof id, SQLITE_STATIC);
            sqlite3_bind_text(insert, 8, data, sizeof data - 1, SQLITE_STATIC);
            demand(sqlite3_step(insert) == SQLITE_DONE, "insert event");
            sqlite3_reset(insert);
        }
    }
    run("COMMIT");
}

static const char* insert_event =
    "INSERT INTO events VALUES (?1, ?2, ?3, 1, 1, 1, 1, ?4, ?5, ?6, ?7, x'', '', ?8)";

static void bench_append(int ordered, int per_commit, int per_append, int streams, double seconds) {
    sqlite3_stmt* insert = prepare(insert_event);
    const double begin = now_s();
    while (now_s() - begin < seconds) append(insert, per_commit, per_append, streams, ordered);
    const double took = now_s() - begin;
    printf("{\"items_per_s\":%.1f,\"per_s\":%.1f,\"count\":%lld}\n", (double)position / took,
           (double)position / per_append / took, (long long)position);
    sqlite3_finalize(insert);
}

static void bench_read(int per_read, int streams, double seconds) {
    sqlite3_stmt* insert = prepare(insert_event);
    for (int filled = 0; filled < streams; ++filled) append(insert, per_read, per_read, streams, 1);
    sqlite3_finalize(insert);
    sqlite3_stmt* select = prepare(
        "SELECT position, version, type, schema_version, recorded_at, id, tags, metadata, data "
        "FROM events"
        " WHERE stream = ?1 AND version >= 1 ORDER BY version LIMIT ?2");
    int64_t reads = 0, events = 0;
    const double begin = now_s();
    while (now_s() - begin < seconds) {
        const int64_t stream = (int64_t)(random_64() % (uint64_t)streams);
        if (versions[stream] == 0) continue;
        sqlite3_bind_int64(select, 1, stream + 1);
        sqlite3_bind_int(select, 2, per_read);
        while (sqlite3_step(select) == SQLITE_ROW) {
            for (int column = 0; column < 9; ++column) (void)sqlite3_column_bytes(select, column);
            ++events;
        }
        sqlite3_reset(select);
        ++reads;
    }
    const double took = now_s() - begin;
    printf("{\"per_s\":%.1f,\"items_per_s\":%.1f,\"count\":%lld}\n", (double)reads / took,
           (double)events / took, (long long)reads);
    sqlite3_finalize(select);
}

int main(int argc, char** argv) {
    if (argc < 7) {
        fprintf(stderr, "see the head of baseline_sqlite.c\n");
        return 2;
    }
    open_database(argv[1], argv[2]);
    if (strcmp(argv[3], "append") == 0 && argc == 9) {
        const int streams = atoi(argv[7]);
        versions = calloc((size_t)streams, sizeof *versions);
        make_streams(streams);
        bench_append(strcmp(argv[4], "ordered") == 0, atoi(argv[5]), atoi(argv[6]), streams,
                     atof(argv[8]));
    } else if (strcmp(argv[3], "read") == 0) {
        const int streams = atoi(argv[5]);
        versions = calloc((size_t)streams, sizeof *versions);
        make_streams(streams);
        bench_read(atoi(argv[4]), streams, atof(argv[6]));
    } else {
        fprintf(stderr, "see the head of baseline_sqlite.c\n");
        return 2;
    }
    free(versions);
    sqlite3_close(db);
    return 0;
}

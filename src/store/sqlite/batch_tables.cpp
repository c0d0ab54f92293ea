#include "store/sqlite/batch_tables.hpp"

namespace flexcore::store::sqlite {
namespace {

void give(sqlite3_context* to, std::uint64_t value) {
    sqlite3_result_int64(to, static_cast<std::int64_t>(value));
}
void give_text(sqlite3_context* to, std::string_view text) {
    sqlite3_result_text64(to, text.data() != nullptr ? text.data() : "", text.size(), SQLITE_STATIC,
                          SQLITE_UTF8);
}
void give_blob(sqlite3_context* to, const void* bytes, std::size_t size) {
    sqlite3_result_blob64(to, bytes != nullptr ? bytes : "", size, SQLITE_STATIC);
}

struct events_table {
    static constexpr const char* name = "pending_events";
    static constexpr const char* declaration =
        "CREATE TABLE x (position, stream, version, type, category, tenant, schema_version, place,"
        " recorded_at, checksum, id, tags, metadata, data)";
    static const std::vector<event_row>& rows(const pending_rows& all) { return all.events; }
    static void column(sqlite3_context* to, const event_row& row, int at) {
        switch (at) {
            case 0:
                return give(to, row.pos);
            case 1:
                return give(to, row.stream);
            case 2:
                return give(to, row.ver);
            case 3:
                return give(to, row.type);
            case 4:
                return give(to, row.category);
            case 5:
                return give(to, row.tenant);
            case 6:
                return give(to, row.schema_version);
            case 7:
                return give(to, row.place);
            case 8:
                return sqlite3_result_int64(to, row.recorded_at);
            case 9:
                return give(to, row.checksum);
            case 10:
                return give_blob(to, row.id.bytes.data(), row.id.bytes.size());
            case 11:
                return give_blob(to, row.tags.data(), row.tags.size());
            case 12:
                return give_text(to, row.metadata);
            case 13:
                return give_text(to, row.data);
            default:
                return;
        }
    }
};

struct tags_table {
    static constexpr const char* name = "pending_tags";
    static constexpr const char* declaration = "CREATE TABLE x (tag, position)";
    static const std::vector<tag_row>& rows(const pending_rows& all) { return all.tags; }
    static void column(sqlite3_context* to, const tag_row& row, int at) {
        give(to, at == 0 ? row.tag : row.pos);
    }
};

/// SQLite's module over a vector: it knows no index and is read from first to last.
template <class Table>
struct vector_module {
    struct table {
        sqlite3_vtab base;
        const pending_rows* all;
    };
    struct cursor {
        sqlite3_vtab_cursor base;
        std::size_t at;
    };

    static const auto& rows(sqlite3_vtab_cursor* from) {
        return Table::rows(*reinterpret_cast<table*>(from->pVtab)->all);
    }
    static std::size_t& at(sqlite3_vtab_cursor* from) {
        return reinterpret_cast<cursor*>(from)->at;
    }

    static int connect(sqlite3* db, void* all, int, const char* const*, sqlite3_vtab** out,
                       char**) {
        if (const int code = sqlite3_declare_vtab(db, Table::declaration); code != SQLITE_OK) {
            return code;
        }
        auto* made = new table{};
        made->all = static_cast<const pending_rows*>(all);
        *out = &made->base;
        return SQLITE_OK;
    }
    static int disconnect(sqlite3_vtab* gone) {
        delete reinterpret_cast<table*>(gone);
        return SQLITE_OK;
    }
    static int best_index(sqlite3_vtab*, sqlite3_index_info*) { return SQLITE_OK; }
    static int open(sqlite3_vtab*, sqlite3_vtab_cursor** out) {
        *out = &(new cursor{})->base;
        return SQLITE_OK;
    }
    static int close(sqlite3_vtab_cursor* gone) {
        delete reinterpret_cast<cursor*>(gone);
        return SQLITE_OK;
    }
    static int filter(sqlite3_vtab_cursor* from, int, const char*, int, sqlite3_value**) {
        at(from) = 0;
        return SQLITE_OK;
    }
    static int next(sqlite3_vtab_cursor* from) {
        ++at(from);
        return SQLITE_OK;
    }
    static int eof(sqlite3_vtab_cursor* from) { return at(from) >= rows(from).size(); }
    static int column(sqlite3_vtab_cursor* from, sqlite3_context* to, int which) {
        Table::column(to, rows(from)[at(from)], which);
        return SQLITE_OK;
    }
    static int rowid(sqlite3_vtab_cursor* from, sqlite3_int64* out) {
        *out = static_cast<sqlite3_int64>(at(from));
        return SQLITE_OK;
    }

    static const sqlite3_module* get() {
        static const sqlite3_module module = [] {
            sqlite3_module made{};  // without xCreate: the table exists on its own
            made.xConnect = connect;
            made.xBestIndex = best_index;
            made.xDisconnect = disconnect;
            made.xOpen = open;
            made.xClose = close;
            made.xFilter = filter;
            made.xNext = next;
            made.xEof = eof;
            made.xColumn = column;
            made.xRowid = rowid;
            return made;
        }();
        return &module;
    }
};

template <class Table>
result<void> attach(connection& db, const pending_rows& rows) {
    const int code = sqlite3_create_module(db.get(), Table::name, vector_module<Table>::get(),
                                           const_cast<pending_rows*>(&rows));
    if (code != SQLITE_OK) return fail(db.failure(code, Table::name));
    return {};
}

}  // namespace

result<void> attach_batch_tables(connection& db, const pending_rows& rows) {
    if (auto ok = attach<events_table>(db, rows); !ok) return ok;
    return attach<tags_table>(db, rows);
}

}  // namespace flexcore::store::sqlite

// One connection to an SQLite database, its statements, and its errors as ours.
//
// Errors:  SQLITE_FULL → full; CORRUPT, NOTADB and a page that is not what was written → corrupt;
//          everything else → unavailable.
//          The log text names the file, what was attempted and SQLite's own words.
// Threads: a connection and its statements belong to one thread at a time.
// Lifetime: statements go before their connection.
#pragma once

#include "base/result.hpp"
#include "base/uuid.hpp"
#include "store/errc.hpp"

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace flexcore::store::sqlite {

class statement {
public:
    statement() = default;
    explicit statement(sqlite3_stmt* prepared) : handle_{prepared} {}

    [[nodiscard]] sqlite3_stmt* get() const noexcept { return handle_.get(); }
    explicit operator bool() const noexcept { return handle_ != nullptr; }

    // Parameters count from 1. Texts and blobs are not copied: they outlive the next reset.
    statement& bind(int at, std::int64_t value) {
        sqlite3_bind_int64(get(), at, value);
        return *this;
    }
    statement& bind(int at, std::uint64_t value) {
        return bind(at, static_cast<std::int64_t>(value));
    }
    statement& bind(int at, double value) {
        sqlite3_bind_double(get(), at, value);
        return *this;
    }
    /// The text must stay until the statement has run.
    statement& bind(int at, std::string&& passing) = delete;
    statement& bind(int at, std::string_view text) {
        // A null pointer would bind NULL instead of an empty text.
        sqlite3_bind_text64(get(), at, text.data() != nullptr ? text.data() : "", text.size(),
                            SQLITE_STATIC, SQLITE_UTF8);
        return *this;
    }
    statement& bind_blob(int at, std::string_view bytes) {
        sqlite3_bind_blob64(get(), at, bytes.data() != nullptr ? bytes.data() : "", bytes.size(),
                            SQLITE_STATIC);
        return *this;
    }
    statement& bind(int at, const uuid& id) {
        sqlite3_bind_blob(get(), at, id.bytes.data(), static_cast<int>(id.bytes.size()),
                          SQLITE_STATIC);
        return *this;
    }

    /// SQLITE_ROW, SQLITE_DONE or an error code.
    [[nodiscard]] int step() { return sqlite3_step(get()); }
    void reset() { sqlite3_reset(get()); }

    // Columns count from 0; texts are valid until the next step or reset.
    [[nodiscard]] std::int64_t integer(int column) const {
        return sqlite3_column_int64(get(), column);
    }
    [[nodiscard]] std::uint64_t natural(int column) const {
        return static_cast<std::uint64_t>(integer(column));
    }
    [[nodiscard]] std::string_view text(int column) const {
        const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(get(), column));
        return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(get(), column))};
    }
    [[nodiscard]] std::string_view blob(int column) const {
        const auto* bytes = static_cast<const char*>(sqlite3_column_blob(get(), column));
        return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(get(), column))};
    }

private:
    struct finalizer {
        void operator()(sqlite3_stmt* prepared) const noexcept { sqlite3_finalize(prepared); }
    };
    std::unique_ptr<sqlite3_stmt, finalizer> handle_;
};

/// Resets a statement at the end of a scope: an open one holds its snapshot.
class run_scope {
public:
    explicit run_scope(statement& running) : running_{running} {}
    ~run_scope() { running_.reset(); }
    run_scope(const run_scope&) = delete;
    run_scope& operator=(const run_scope&) = delete;

private:
    statement& running_;
};

enum class access : std::uint8_t { read_only, read_write };

struct connection_settings {
    std::filesystem::path file;
    access mode = access::read_only;
    const char* vfs = nullptr;  ///< null: SQLite's default
    std::size_t cache_kib = 2048;
    bool durable_commits = true;  ///< synchronous=FULL, else NORMAL; read_write only
};

class connection {
public:
    /// Opens, makes the file when it is to be written and absent, and sets the pragmas: WAL, no
    /// automatic checkpoints, a busy timeout. A writing one is refused (unavailable) when WAL or
    /// `synchronous` did not take effect.
    [[nodiscard]] static result<connection> open(const connection_settings&);

    [[nodiscard]] sqlite3* get() const noexcept { return handle_.get(); }
    [[nodiscard]] const std::string& file() const noexcept { return file_; }

    [[nodiscard]] result<statement> prepare(std::string_view sql);
    /// Prepares into `out`; for long lists of statements kept.
    [[nodiscard]] result<void> prepare(statement& out, std::string_view sql);
    [[nodiscard]] result<void> execute(const char* sql);
    /// The first column of the first row; 0 when there is none.
    [[nodiscard]] result<std::int64_t> integer(std::string_view sql);
    /// Runs a statement that gives no rows, and resets it.
    [[nodiscard]] result<void> run(statement&, std::string_view attempted);
    /// The error of the last call on this connection.
    [[nodiscard]] error failure(int code, std::string_view attempted) const;
    [[nodiscard]] bool in_transaction() const { return sqlite3_get_autocommit(get()) == 0; }
    /// Leaves any open transaction; what cannot be rolled back is rolled back by closing.
    void roll_back();

    /// Copies the WAL into the database, as far as readers allow. `empty_wal`: wait for them and
    /// cut the file to nothing; fails when they do not go.
    struct checkpointed {
        int wal_frames = 0;
        int done_frames = 0;
    };
    [[nodiscard]] result<checkpointed> checkpoint(bool empty_wal);

private:
    struct closer {
        void operator()(sqlite3* handle) const noexcept { sqlite3_close_v2(handle); }
    };
    std::unique_ptr<sqlite3, closer> handle_;
    std::string file_;
};

/// "SQLite 3.40.1"
[[nodiscard]] std::string library_version();

}  // namespace flexcore::store::sqlite

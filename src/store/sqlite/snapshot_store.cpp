#include "store/sqlite/snapshot_store.hpp"

#include "store/snapshot_checksum_impl.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/migrations.hpp"
#include "store/sqlite/view_damage.hpp"
#include "telemetry/log.hpp"

#include <mutex>

namespace flexcore::store::sqlite {
namespace {

constexpr std::size_t cache_kib = 2 * 1024;

std::string_view bytes_of(const uuid& id) noexcept {
    return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()};
}

class sqlite_snapshots final : public snapshot_store {
public:
    explicit sqlite_snapshots(std::shared_ptr<data_folder> folder)
        : folder_{std::move(folder)}, file_{folder_->path() / "snapshots.db"} {}
    ~sqlite_snapshots() override { stop(); }

    result<void> open() {
        auto done = connect();
        if (!done && done.error().code == store_errc::corrupt) {
            complain(done.error(), "the snapshots are damaged and are begun anew");
            disconnect();
            done = move_aside(file_);
            if (done) done = connect();
        }
        if (done || done.error().code == store_errc::newer_schema) return done;
        complain(done.error(), "snapshots cannot be kept; aggregates are read from their events");
        disconnect();
        return {};
    }

    std::optional<snapshot> find(std::string_view tenant, std::string_view stream,
                                 std::uint32_t reducer) override {
        const std::lock_guard lock{mutex_};
        if (!open_) return std::nullopt;
        std::optional<snapshot> found;
        int code = SQLITE_DONE;
        {
            run_scope scope{find_};
            find_.bind(1, tenant).bind(2, stream).bind(3, std::uint64_t{reducer});
            code = find_.step();
            if (code == SQLITE_ROW) {
                const auto id = find_.blob(1);
                const auto state = find_.blob(2);
                const version ver = find_.natural(0);
                if (id.size() == uuid{}.bytes.size() &&
                    snapshot_checksum(tenant, stream, reducer, ver, id, state) ==
                        find_.natural(3)) {
                    found.emplace();
                    found->ver = ver;
                    std::copy(id.begin(), id.end(), found->event_id.bytes.begin());
                    found->state = state;
                }
            }
        }
        if (code != SQLITE_ROW && code != SQLITE_DONE) {
            failed(db_.failure(code, "look up a snapshot"));
        } else if (code == SQLITE_ROW && !found) {
            complain({store_errc::corrupt, "a snapshot is damaged", std::string{stream}},
                     "a snapshot is damaged and is passed over");
            remove(tenant, stream);
        }
        return found;
    }

    void put(std::string_view tenant, std::string_view stream, std::uint32_t reducer,
             const snapshot& taken) override {
        const std::lock_guard lock{mutex_};
        if (!open_) return;
        const auto id = bytes_of(taken.event_id);
        const auto done = [&]() -> result<void> {
            if (auto ok = db_.run(begin_, "begin a snapshot"); !ok) return ok;
            drop_lower_.bind(1, tenant).bind(2, stream).bind(3, std::uint64_t{reducer});
            if (auto ok = db_.run(drop_lower_, "drop older snapshots"); !ok) return ok;
            put_.bind(1, tenant)
                .bind(2, stream)
                .bind(3, std::uint64_t{reducer})
                .bind(4, taken.ver)
                .bind_blob(5, id)
                .bind_blob(6, taken.state)
                .bind(7, snapshot_checksum(tenant, stream, reducer, taken.ver, id, taken.state));
            if (auto ok = db_.run(put_, "put a snapshot"); !ok) return ok;
            return db_.run(commit_, "commit a snapshot");
        }();
        if (done) return;
        db_.roll_back();
        failed(done.error());
    }

    void drop(std::string_view tenant, std::string_view stream) override {
        const std::lock_guard lock{mutex_};
        if (open_) remove(tenant, stream);
    }

    void stop() override {
        const std::lock_guard lock{mutex_};
        stopped_ = true;
        disconnect();
    }

private:
    static void complain(const error& why, std::string_view what) {
        telemetry::log(
            telemetry::level::warn, "store", what,
            {{"error", std::string_view{why.client}}, {"detail", std::string_view{why.log}}});
    }

    void remove(std::string_view tenant, std::string_view stream) {
        drop_.bind(1, tenant).bind(2, stream);
        if (auto ok = db_.run(drop_, "drop snapshots"); !ok) failed(ok.error());
    }

    result<void> connect() {
        auto db = connection::open({.file = file_,
                                    .mode = access::read_write,
                                    .cache_kib = cache_kib,
                                    .durable_commits = false});
        if (!db) return fail(std::move(db.error()));
        db_ = std::move(*db);
        if (auto ok = migrate(db_, snapshot_migrations(), snapshot_store_application); !ok) {
            return ok;
        }
        // The only connection, so it may checkpoint by itself.
        if (auto ok = db_.execute("PRAGMA wal_autocheckpoint=1000"); !ok) return ok;
        const std::pair<statement*, std::string_view> all[] = {
            {&begin_, "BEGIN IMMEDIATE"},
            {&commit_, "COMMIT"},
            {&find_,
             "SELECT version, event_id, state, checksum FROM snapshots "
             "WHERE tenant=?1 AND stream=?2 AND reducer=?3"},
            {&put_,
             "INSERT INTO snapshots (tenant, stream, reducer, version, event_id, state, checksum) "
             "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (tenant, stream, reducer) DO UPDATE "
             "SET version=?4, event_id=?5, state=?6, checksum=?7"},
            {&drop_lower_, "DELETE FROM snapshots WHERE tenant=?1 AND stream=?2 AND reducer<?3"},
            {&drop_, "DELETE FROM snapshots WHERE tenant=?1 AND stream=?2"},
        };
        for (const auto& [out, sql] : all) {
            if (auto ok = db_.prepare(*out, sql); !ok) return ok;
        }
        open_ = true;
        return {};
    }

    void disconnect() {
        open_ = false;
        for (statement* gone : {&begin_, &commit_, &find_, &put_, &drop_lower_, &drop_}) {
            *gone = {};
        }
        db_ = {};
    }

    /// A full or busy device passes by. Anything else: the file is opened anew, once.
    void failed(const error& why) {
        complain(why, "a snapshot could not be read or written");
        if (why.code == store_errc::full || stopped_) return;
        disconnect();
        if (reopened_) return;
        reopened_ = why.code != store_errc::corrupt;
        if (why.code == store_errc::corrupt && !move_aside(file_)) return;
        if (auto ok = connect(); !ok) {
            complain(ok.error(), "snapshots cannot be kept; aggregates are read from their events");
            disconnect();
        }
    }

    const std::shared_ptr<data_folder> folder_;
    const std::filesystem::path file_;
    std::mutex mutex_;
    connection db_;
    statement begin_, commit_, find_, put_, drop_lower_, drop_;
    bool open_ = false;
    bool reopened_ = false;
    bool stopped_ = false;
};

}  // namespace

result<std::unique_ptr<snapshot_store>> open_snapshots(std::shared_ptr<data_folder> folder) {
    auto made = std::make_unique<sqlite_snapshots>(std::move(folder));
    if (auto ok = made->open(); !ok) return fail(std::move(ok.error()));
    return made;
}

}  // namespace flexcore::store::sqlite

#include "store/sqlite/view_store.hpp"

#include "store/sqlite/reader_pool.hpp"
#include "store/sqlite/view_damage.hpp"
#include "store/sqlite/view_reader.hpp"
#include "store/sqlite/view_writer.hpp"
#include "telemetry/log.hpp"

namespace flexcore::store::sqlite {
namespace {

constexpr std::size_t writer_cache_kib = 16 * 1024;
constexpr std::size_t reader_cache_kib = 2 * 1024;

class sqlite_views final : public view_store {
public:
    sqlite_views(std::shared_ptr<data_folder> folder, const connection_settings& reading,
                 std::unique_ptr<view_writer> writer)
        : folder_{std::move(folder)},
          readers_{[reading] { return view_snapshot_reader::open(reading); }},
          writer_{std::move(writer)} {}
    ~sqlite_views() override { stop(); }

    result<std::vector<generation>> generations() override { return writer_->generations(); }
    result<generation> create(std::string_view projection, std::uint32_t version,
                              const std::vector<model_spec>& models) override {
        return writer_->create(projection, version, models);
    }
    result<void> serve(generation_id id) override { return writer_->serve(id); }
    result<void> drop(generation_id id) override { return writer_->drop(id); }
    result<void> set_paused(std::string_view projection, bool paused) override {
        return writer_->set_paused(projection, paused);
    }
    result<void> set_stopped(generation_id id, std::string_view why) override {
        return writer_->set_stopped(id, why);
    }
    result<std::unique_ptr<view_transaction>> begin(generation_id id, position expected) override {
        return writer_->begin(id, expected);
    }
    result<std::unique_ptr<view_reader>> read() override {
        auto lent = readers_.lend();
        if (!lent) return fail(std::move(lent.error()));
        if (auto ok = (*lent)->begin(); !ok) {
            if (ok.error().code == store_errc::corrupt) note_damage((*lent)->file(), ok.error());
            lent->discard();
            return fail(std::move(ok.error()));
        }
        return std::make_unique<lent_reader>(std::move(*lent));
    }
    void stop() override {
        readers_.close();
        writer_->stop();
    }

private:
    using pool = reader_pool<view_snapshot_reader>;

    /// Ends the snapshot when it goes.
    class lent_reader final : public view_reader {
    public:
        explicit lent_reader(pool::loan lent) : lent_{std::move(lent)} {}
        ~lent_reader() override {
            if (!lent_->end() || failed_) lent_.discard();
        }
        result<std::optional<row>> get(std::string_view tenant, std::string_view model,
                                       std::string_view key) override {
            return noted(lent_->tables().get(tenant, model, key));
        }
        result<row_page> scan(std::string_view tenant, std::string_view model,
                              const scan_query& query) override {
            return noted(lent_->tables().scan(tenant, model, query));
        }
        result<position> changed_at(std::string_view model) override {
            return noted(lent_->tables().changed_at(model));
        }

    private:
        template <class T>
        result<T> noted(result<T> answer) {
            if (answer) return answer;
            if (answer.error().code == store_errc::corrupt)
                note_damage(lent_->file(), answer.error());
            // The next one gets a fresh connection.
            failed_ = failed_ || answer.error().code == store_errc::unavailable;
            return answer;
        }
        pool::loan lent_;
        bool failed_ = false;
    };

    const std::shared_ptr<data_folder> folder_;
    pool readers_;
    const std::unique_ptr<view_writer> writer_;
};

/// Fails with corrupt when the file cannot be relied on.
result<std::unique_ptr<view_writer>> open_checked(const connection_settings& settings,
                                                  std::uint64_t wal_bytes_max) {
    if (damage_noted(settings.file)) {
        return fail(store_errc::corrupt, "the store's file views.db is damaged",
                    settings.file.string() + ": damage was met while it was in use");
    }
    return view_writer::open(settings, wal_bytes_max);
}

}  // namespace

result<std::unique_ptr<view_store>> open_views(const view_store_settings& settings) {
    const connection_settings writing{.file = settings.folder->path() / "views.db",
                                      .mode = access::read_write,
                                      .vfs = settings.vfs,
                                      .cache_kib = writer_cache_kib,
                                      .durable_commits = false};
    auto reading = writing;
    reading.mode = access::read_only;
    reading.cache_kib = reader_cache_kib;

    auto writer = open_checked(writing, settings.wal_bytes_max);
    if (!writer && writer.error().code == store_errc::corrupt) {
        telemetry::log(telemetry::level::error, "store",
                       "the read models are damaged and are made again from the log",
                       {{"detail", std::string_view{writer.error().log}}});
        if (auto ok = move_aside(writing.file); !ok) return fail(std::move(ok.error()));
        writer = view_writer::open(writing, settings.wal_bytes_max);
    }
    if (!writer) return fail(std::move(writer.error()));
    return std::make_unique<sqlite_views>(settings.folder, reading, std::move(*writer));
}

}  // namespace flexcore::store::sqlite

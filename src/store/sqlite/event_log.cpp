#include "store/sqlite/event_log.hpp"

#include "store/sqlite/event_reader.hpp"
#include "store/sqlite/event_writer.hpp"
#include "store/sqlite/reader_pool.hpp"

namespace flexcore::store::sqlite {
namespace {

constexpr std::size_t writer_cache_kib = 32 * 1024;
constexpr std::size_t reader_cache_kib = 2 * 1024;
constexpr const char* health_name = "store";

telemetry::health_report report(writer_condition condition, bool damage_seen) {
    switch (condition) {
        case writer_condition::well:
            if (damage_seen) {
                return {telemetry::health::degraded,
                        "events.db is damaged: see the log, and run flexcore verify"};
            }
            return {};
        case writer_condition::full:
            return {telemetry::health::degraded, "no space on the device: reads only"};
        case writer_condition::fenced:
            return {telemetry::health::unhealthy, "the log cannot be written at the moment"};
    }
    return {};
}

class sqlite_log final : public event_log {
public:
    sqlite_log(const event_log_settings& settings, const connection_settings& reading,
               std::shared_ptr<rule_board> board, std::unique_ptr<event_writer> backend,
               std::unique_ptr<event_reader> anchor, event_reader::log_end end,
               telemetry::metrics& metrics, telemetry::health_registry& health)
        : folder_{settings.folder},
          clock_{settings.clock},
          health_{health},
          board_{std::move(board)},
          readers_{[reading, board = board_] { return event_reader::open(reading, board); }},
          anchor_{std::move(anchor)},
          backend_{std::move(backend)},
          writer_{*backend_, settings.limits, metrics, end.head, end.recorded_at, settings.clock} {
        health_.add(health_name, true,
                    [this] { return report(writer_.condition(), damage_seen_.load()); });
    }
    ~sqlite_log() override {
        health_.remove(health_name);
        close();
    }

    void append(append_request request, append_done done) override {
        writer_.append(std::move(request), std::move(done));
    }
    void append_all(std::vector<queued> requests) override {
        writer_.append_all(std::move(requests));
    }
    result<stream_page> read_stream(std::string_view tenant, std::string_view stream, version from,
                                    std::size_t limit, direction way) override {
        return with_reader(&event_reader::read_stream, tenant, stream, from, limit, way);
    }
    result<stream_page> read_history(std::string_view tenant, std::string_view stream, version from,
                                     std::size_t limit) override {
        return with_reader(&event_reader::read_history, tenant, stream, from, limit);
    }
    void keep_history(std::string_view category) override { board_->keep(category); }
    bool retains(std::string_view tenant) const noexcept override {
        return board_->has_rules(tenant);
    }
    result<log_page> read_log(const log_filter& filter, position after, std::size_t limit,
                              direction way) override {
        return with_reader(&event_reader::read_log, filter, after, limit, way);
    }
    result<std::shared_ptr<const event_batch>> read_event(std::string_view tenant,
                                                          const uuid& id) override {
        return with_reader(&event_reader::read_event, tenant, id);
    }
    result<stream_info> stream(std::string_view tenant, std::string_view name) override {
        return with_reader(&event_reader::stream, tenant, name);
    }
    result<stream_list> streams(std::string_view tenant, std::string_view category,
                                std::string_view prefix, std::string_view after,
                                std::size_t limit) override {
        return with_reader(&event_reader::streams, tenant, category, prefix, after, limit);
    }
    result<std::optional<stored_answer>> find_answer(std::string_view tenant,
                                                     std::string_view key) override {
        return with_reader(&event_reader::find_answer, tenant, key, clock_());
    }
    position head() const noexcept override { return writer_.head(); }
    result<position> end() override { return writer_.head(); }
    void on_commit(commit_listener listener) override { writer_.on_commit(std::move(listener)); }
    void stop() override { close(); }

private:
    template <class Member, class... Arguments>
    auto with_reader(Member member, const Arguments&... arguments)
        -> decltype((std::declval<event_reader&>().*member)(arguments...)) {
        auto reader = readers_.lend();
        if (!reader) return fail(std::move(reader.error()));
        auto answer = ((**reader).*member)(arguments...);
        // The next one gets a fresh connection; a record's own damage stays whatever is opened.
        if (!answer && answer.error().code == store_errc::unavailable) reader->discard();
        if (!answer && answer.error().code == store_errc::corrupt) damage_seen_ = true;
        return answer;
    }
    void close() {
        writer_.stop();
        readers_.close();
        std::call_once(released_, [this] {
            anchor_.reset();
            backend_->release();
        });
    }

    const std::shared_ptr<data_folder> folder_;
    const log_writer::clock clock_;
    telemetry::health_registry& health_;
    const std::shared_ptr<rule_board> board_;
    reader_pool<event_reader> readers_;
    /// Never read from. As long as any connection is open SQLite does not look into the WAL for
    /// commits by itself: so one that failed is not shown while the writer is fenced, before it is
    /// certain or gone.
    std::unique_ptr<event_reader> anchor_;
    const std::unique_ptr<event_writer> backend_;
    log_writer writer_;
    std::once_flag released_;
    std::atomic<bool> damage_seen_{false};  ///< by a read, since the start
};

}  // namespace

result<std::unique_ptr<event_log>> open_log(const event_log_settings& settings,
                                            telemetry::metrics& metrics,
                                            telemetry::health_registry& health) {
    const connection_settings writing{.file = settings.folder->path() / "events.db",
                                      .mode = access::read_write,
                                      .vfs = settings.vfs,
                                      .cache_kib = writer_cache_kib,
                                      .durable_commits = true};
    auto reading = writing;
    reading.mode = access::read_only;
    reading.cache_kib = reader_cache_kib;

    auto& wal_bytes = metrics.gauge_for("flexcore_store_wal_bytes",
                                        "Bytes of the log's WAL not yet in the database.");
    auto& reclaimed = metrics.counter_for("flexcore_store_reclaimed_events_total",
                                          "Events removed because they were not served any more.");
    auto board = std::make_shared<rule_board>(settings.clock);
    auto backend = event_writer::open({.database = writing,
                                       .rules = board,
                                       .wal_bytes_max = settings.wal_bytes_max,
                                       .clock = settings.clock,
                                       .wal_bytes = &wal_bytes,
                                       .reclaimed = &reclaimed});
    if (!backend) return fail(std::move(backend.error()));
    if (auto ok = settings.folder->sync(); !ok) return fail(std::move(ok.error()));
    auto reader = event_reader::open(reading, board);
    if (!reader) return fail(std::move(reader.error()));
    const auto end = (*reader)->end();
    if (!end) return fail(end.error());
    return std::make_unique<sqlite_log>(settings, reading, std::move(board), std::move(*backend),
                                        std::move(*reader), *end, metrics, health);
}

}  // namespace flexcore::store::sqlite

#include "store/postgres/event_log.hpp"

#include "store/postgres/event_reader.hpp"
#include "store/postgres/event_writer.hpp"
#include "store/postgres/pulse.hpp"

#include <fmt/format.h>

namespace flexcore::store::postgres {
namespace {

constexpr const char* health_name = "store";

telemetry::health_report report(const watch& heard, const event_writer& backend,
                                writer_condition condition) {
    if (heard.silent()) {
        const auto quiet = std::chrono::floor<std::chrono::seconds>(heard.quiet_for());
        return {telemetry::health::unhealthy,
                fmt::format("the database has not answered for {} s", quiet.count())};
    }
    if (condition != writer_condition::fenced && backend.hangs())
        return {telemetry::health::unhealthy, "the database keeps the log waiting"};
    switch (condition) {
        case writer_condition::well:
            return {};
        case writer_condition::full:
            return {telemetry::health::degraded, "no space where the database is: reads only"};
        case writer_condition::fenced:
            return {telemetry::health::unhealthy, "the database cannot be written at the moment"};
    }
    return {};
}

class postgres_log final : public event_log {
public:
    postgres_log(const event_log_settings& settings, std::shared_ptr<rule_board> rules,
                 std::unique_ptr<event_writer> backend, telemetry::metrics& metrics,
                 telemetry::health_registry& health)
        : health_{health},
          rules_{std::move(rules)},
          heard_{settings.writing.overdue},
          reader_{settings.readers, settings.clock},
          backend_{std::move(backend)},
          writer_{*backend_,
                  settings.limits,
                  metrics,
                  backend_->head().pos,
                  backend_->head().recorded_at,
                  settings.clock},
          pulse_{settings.writing, settings.readers} {
        health_.add(health_name, true,
                    [this] { return report(*heard_, *backend_, writer_.condition()); });
    }
    ~postgres_log() override {
        health_.remove(health_name);
        writer_.stop();
    }

    void append(append_request request, append_done done) override {
        writer_.append(std::move(request), std::move(done));
    }
    void append_all(std::vector<queued> requests) override {
        writer_.append_all(std::move(requests));
    }
    result<stream_page> read_stream(std::string_view tenant, std::string_view stream, version from,
                                    std::size_t limit, direction way) override {
        return reader_.read_stream(tenant, stream, from, limit, way);
    }
    result<stream_page> read_history(std::string_view tenant, std::string_view stream, version from,
                                     std::size_t limit) override {
        return reader_.read_history(tenant, stream, from, limit);
    }
    void keep_history(std::string_view category) override { rules_->keep(category); }
    bool retains(std::string_view tenant) const noexcept override {
        return rules_->has_rules(tenant);
    }
    result<log_page> read_log(const log_filter& filter, position after, std::size_t limit,
                              direction way) override {
        return reader_.read_log(filter, after, limit, way, writer_.head());
    }
    result<std::shared_ptr<const event_batch>> read_event(std::string_view tenant,
                                                          const uuid& id) override {
        return reader_.read_event(tenant, id);
    }
    result<stream_info> stream(std::string_view tenant, std::string_view name) override {
        return reader_.stream(tenant, name);
    }
    result<stream_list> streams(std::string_view tenant, std::string_view category,
                                std::string_view prefix, std::string_view after,
                                std::size_t limit) override {
        return reader_.streams(tenant, category, prefix, after, limit);
    }
    result<std::optional<stored_answer>> find_answer(std::string_view tenant,
                                                     std::string_view key) override {
        return reader_.find_answer(tenant, key);
    }
    position head() const noexcept override { return writer_.head(); }
    bool shared() const noexcept override { return true; }
    result<position> end() override { return reader_.end(); }
    void on_commit(commit_listener listener) override { writer_.on_commit(std::move(listener)); }
    void stop() override { writer_.stop(); }

private:
    telemetry::health_registry& health_;
    const std::shared_ptr<rule_board> rules_;
    const std::shared_ptr<const watch> heard_;
    event_reader reader_;
    const std::unique_ptr<event_writer> backend_;
    log_writer writer_;
    pulse pulse_;
};

}  // namespace

result<std::unique_ptr<event_log>> open_log(const event_log_settings& settings,
                                            telemetry::metrics& metrics,
                                            telemetry::health_registry& health) {
    auto rules = std::make_shared<rule_board>(settings.clock);
    auto& reclaimed = metrics.counter_for("flexcore_store_reclaimed_events_total",
                                          "Events removed because they were not served any more.");
    auto backend = event_writer::open({.database = settings.writing,
                                       .known = settings.known,
                                       .rules = rules,
                                       .readers = settings.readers,
                                       .clock = settings.clock,
                                       .reclaimed = &reclaimed});
    if (!backend) return fail(std::move(backend.error()));
    return std::make_unique<postgres_log>(settings, std::move(rules), std::move(*backend), metrics,
                                          health);
}

}  // namespace flexcore::store::postgres

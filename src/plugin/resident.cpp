#include "plugin/resident_impl.hpp"

#include <fmt/format.h>

namespace flexcore::plugin {
namespace {

std::string_view text_of(phase p) {
    switch (p) {
        case phase::serving:
            return "serving";
        case phase::draining:
            return "draining";
        case phase::retired:
            return "retired";
    }
    return "unknown";
}

}  // namespace

resident::resident(std::shared_ptr<instance> i, plugin_host::wiring& to, monotonic::duration every)
    : of{std::move(i)},
      registered{to},
      timers_{to.timers},
      health_every_{every},
      loaded_at_{now_unix_us()} {}

phase resident::current() const {
    const std::lock_guard lock{mutex_};
    return now_;
}

void resident::enter(phase next) {
    const std::lock_guard lock{mutex_};
    now_ = next;
}

telemetry::health_report resident::report() const {
    {
        const std::lock_guard lock{mutex_};
        if (health_.state != telemetry::health::healthy) return health_;
    }
    if (const auto overdue = of->count().overdue; overdue > 0)
        return {telemetry::health::degraded, fmt::format("{} calls overdue", overdue)};
    return {};
}

plugin_status resident::status() const {
    const library& file = of->file();
    const catalogue& brings = of->brings();
    const auto numbers = of->count();
    plugin_status status;
    status.name = file.name();
    status.id = file.info().id;
    status.version = file.info().version;
    status.path = file.path().native();
    status.state = text_of(current());
    status.interfaces = file.info().interfaces;
    for (const auto& aggregate : brings.aggregates) {
        status.aggregates.push_back(aggregate.category);
        for (const auto& command : aggregate.commands) status.commands.push_back(command.type);
    }
    for (const auto& projection : brings.projections) status.projections.push_back(projection.name);
    for (const auto& model : brings.read_models) status.read_models.push_back(model.name);
    for (const auto& query : brings.queries) status.queries.push_back(query.name);
    status.calls = numbers.calls;
    status.failures = numbers.failures;
    status.in_flight = numbers.in_flight;
    status.overdue = numbers.overdue;
    status.stale_completions = numbers.stale_completions;
    const auto now = report();
    status.health = now.state;
    status.last_error = of->last_error();
    if (status.last_error.empty()) status.last_error = now.text;
    status.loaded_at = loaded_at_;
    return status;
}

void resident::watch_health(const std::shared_ptr<resident>& r) {
    r->timers_.after(r->health_every_, [watched = std::weak_ptr{r}] {
        const auto there = watched.lock();
        if (!there || there->current() != phase::serving) return;
        there->of->ask_health([watched](result<telemetry::health_report> report) {
            const auto asked = watched.lock();
            if (!asked) return;
            {
                const std::lock_guard lock{asked->mutex_};
                if (asked->now_ != phase::serving) return;
                asked->health_ = report ? *std::move(report)
                                        : telemetry::health_report{telemetry::health::degraded,
                                                                   report.error().client};
            }
            watch_health(asked);
        });
    });
}

}  // namespace flexcore::plugin

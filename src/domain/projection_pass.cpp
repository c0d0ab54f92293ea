#include "domain/projection_runner_impl.hpp"
#include "telemetry/log.hpp"

namespace flexcore::domain {
namespace {

/// Pages of hidden events that are passed over to find how old the next one is.
constexpr int pages_passed_max = 100;

/// Milliseconds since the first event after `at`; 0 when there is none.
std::uint64_t age_after(store::event_log& log, store::position at) {
    for (int pages = 0; pages < pages_passed_max; ++pages) {
        const auto page = log.read_log({}, at, 1, store::direction::forward);
        if (!page) return 0;
        if (page->batch && !page->batch->events.empty()) {
            const auto age = now_unix_us() - page->batch->events.front().recorded_at;
            return age > 0 ? static_cast<std::uint64_t>(age) / 1000 : 0;
        }
        if (page->at_end) return 0;
        at = page->scanned_to;
    }
    return 0;
}

}  // namespace

projection_runner::state::state(projection_settings s, store::event_log& l, store::view_store& v,
                                bus::event_bus& e, bus::change_counters& c, telemetry::metrics& m,
                                telemetry::health_registry& h)
    : settings{s}, log{l}, views{v}, events{e}, changes{c}, metrics{m}, health{h} {}

std::vector<projection_runner::state::shared> projection_runner::state::all() const {
    const std::shared_lock lock{names};
    std::vector<shared> list;
    list.reserve(projections.size());
    for (const auto& [name, p] : projections) list.push_back(p);
    return list;
}

projection_runner::state::shared projection_runner::state::find(std::string_view name) const {
    const std::shared_lock lock{names};
    const auto found = projections.find(name);
    return found == projections.end() ? nullptr : found->second;
}

projection_status projection_runner::state::status_of(const projection& p) const {
    projection_status status;
    {
        const std::lock_guard lock{p.mutex};
        status = p.shown;
    }
    const store::position head = events.head();
    status.lag_events = head > status.checkpoint ? head - status.checkpoint : 0;
    if (status.lag_events != 0) status.lag_ms = age_after(log, status.checkpoint);
    return status;
}

store::position projection_runner::state::reached(const std::vector<std::string>& models) const {
    store::position lowest = beyond_all;
    const std::shared_lock lock{names};
    for (const auto& model : models) {
        const auto found = writers.find(model);
        lowest = std::min(lowest, found == writers.end()
                                      ? 0
                                      : found->second->reached.load(std::memory_order_acquire));
    }
    return lowest;
}

void projection_runner::state::publish(projection& p) {
    const follower& f = p.serving;
    const store::position head = events.head();
    projection_state is = projection_state::running;
    const follower& working = p.building ? *p.building : f;
    if (p.paused) {
        is = projection_state::paused;
    } else if (!p.open_error.empty() || working.stopped()) {
        is = projection_state::stopped;
    } else if (p.building) {
        is = projection_state::rebuilding;
    } else if (!p.open || head > f.seen + settings.rebuild_batch_max ||
               (!p.near_head && head > f.seen)) {
        is = projection_state::catching_up;
    }
    // Rows of another version, or of a log that is gone, stand where they stand.
    const store::position reached_now = p.open && !p.ahead_of_log ? f.seen : 0;
    {
        const std::lock_guard lock{p.mutex};
        // A wish that is not taken up yet shows already.
        if (p.pause_wish.value_or(false)) is = projection_state::paused;
        if (p.rebuild_wish) is = projection_state::rebuilding;
        const bool tries_again = p.retry_wish || p.skip_wish;
        if (tries_again && is == projection_state::stopped) {
            is = p.building ? projection_state::rebuilding : projection_state::catching_up;
        }
        p.shown.state = is;
        p.shown.checkpoint = f.seen;
        if (tries_again) {
            p.shown.error.clear();
        } else if (!p.open_error.empty() || f.stopped() || !working.stopped()) {
            p.shown.error = !p.open_error.empty() ? p.open_error : f.stopped_because;
        } else {
            p.shown.error = "the rebuild has stopped, the rows that are served stay up to date: " +
                            working.stopped_because;
        }
        p.shown.poison = working.poison != 0 ? working.poison : f.poison;
        p.being_built = p.building.has_value();
        p.building_poison = p.building ? p.building->poison : 0;
        p.shown.rebuild_position = p.building ? p.building->seen : 0;
    }
    const bool gated =
        p.spec.inline_mode && p.open && !p.paused && !p.frozen && !f.stopped() && p.near_head;
    p.reached.store(reached_now, std::memory_order_release);
    p.lag_from->store(f.seen, std::memory_order_relaxed);
    p.gate.store(gated ? f.seen : beyond_all, std::memory_order_release);
    store::position lowest = beyond_all;
    {
        const std::shared_lock lock{names};
        for (const auto& [name, other] : projections) {
            lowest = std::min(lowest, other->gate.load(std::memory_order_acquire));
        }
    }
    gate.store(lowest, std::memory_order_release);
    waiters.moved();
}

void projection_runner::state::forget(const shared& p) {
    {
        const std::unique_lock lock{names};
        projections.erase(p->spec.name);
        for (const auto& model : p->spec.models) writers.erase(model.name);
    }
    health.remove("projection." + p->spec.name);
    p->open = false;
    publish(*p);
}

bool projection_runner::state::take_wishes(const shared& p) {
    std::optional<bool> pause_wish;
    std::optional<store::position> skip_wish;
    std::optional<std::move_only_function<void()>> removal;
    bool retry = false;
    bool rebuild_now = false;
    {
        const std::lock_guard lock{p->mutex};
        pause_wish = std::exchange(p->pause_wish, std::nullopt);
        removal = std::exchange(p->removal, std::nullopt);
        retry = std::exchange(p->retry_wish, false);
        // These need the generations: they wait until the store can be read.
        if (p->open) {
            skip_wish = std::exchange(p->skip_wish, std::nullopt);
            if (p->rebuild_at == no_deadline || p->rebuild_at <= monotonic::now()) {
                rebuild_now = std::exchange(p->rebuild_wish, false);
                p->rebuild_at = no_deadline;
            }
        }
    }
    if (removal) {
        if (p->open) {
            (void)save(p->serving);
            if (p->building) (void)save(*p->building);
        }
        forget(p);
        (*removal)();
        return false;
    }
    if (!retry && !pause_wish && !rebuild_now && !skip_wish) return true;
    if (retry) {
        p->open_at = {};
        p->serving.retry_at = {};
        if (p->building) p->building->retry_at = {};
    }
    if (pause_wish && p->paused != *pause_wish) {
        p->paused = *pause_wish;
        if (auto ok = views.set_paused(p->spec.name, *pause_wish); !ok) {
            telemetry::log(telemetry::level::error, "domain",
                           "a projection's pause could not be stored; it ends with this process",
                           {{"projection", std::string_view{p->spec.name}},
                            {"error", std::string_view{ok.error().client}}});
        }
    }
    if (rebuild_now && !p->building) {
        if (auto ok = begin_building(*p); ok) {
            p->rebuild_delay = {};
        } else {
            // The wish stays: who asked was told that the rebuild is on its way.
            p->rebuild_delay =
                std::clamp(p->rebuild_delay * 2, settings.retry_delay, settings.retry_delay_max);
            p->rebuild_at = monotonic::now() + p->rebuild_delay;
            telemetry::log(telemetry::level::error, "domain",
                           "a rebuild could not begin; it is tried again",
                           {{"projection", std::string_view{p->spec.name}},
                            {"error", std::string_view{ok.error().client}},
                            {"detail", std::string_view{ok.error().log}}});
            const std::lock_guard lock{p->mutex};
            p->rebuild_wish = true;
        }
    }
    if (skip_wish) skip(*p, *skip_wish);
    publish(*p);
    return true;
}

void projection_runner::state::run() {
    for (;;) {
        wake->clear();
        if (stopping.load()) break;
        look_for_others();
        bool more = false;
        deadline due = log.shared() ? look_at : no_deadline;
        for (const auto& p : all()) {
            if (!take_wishes(p)) continue;
            if (!p->open) open(*p);
            if (p->open) {
                more = step(*p, due) || more;
                due = std::min(due, p->rebuild_at);
            } else {
                due = std::min(due, p->open_at);
            }
        }
        if (!more) wake->wait(due);
    }
    for (const auto& p : all()) {
        if (!p->open) continue;
        (void)save(p->serving);
        if (p->building) (void)save(*p->building);
        reopen(*p);
    }
}

void projection_runner::state::finish_removals() {
    for (const auto& p : all()) {
        std::optional<std::move_only_function<void()>> removal;
        {
            const std::lock_guard lock{p->mutex};
            removal = std::exchange(p->removal, std::nullopt);
        }
        if (!removal) continue;
        forget(p);
        (*removal)();
    }
}

}  // namespace flexcore::domain

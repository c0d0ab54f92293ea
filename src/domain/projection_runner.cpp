#include "domain/projection_runner.hpp"

#include "base/check.hpp"
#include "base/scheduling.hpp"
#include "domain/projection_runner_impl.hpp"
#include "runtime/thread.hpp"

namespace flexcore::domain {
namespace {

error unknown(std::string_view name) {
    return {domain_errc::unknown_projection, "there is no projection " + std::string{name}};
}

error wrong_state(std::string_view text) { return {domain_errc::wrong_state, std::string{text}}; }

}  // namespace

projection_runner::projection_runner(projection_settings settings, store::event_log& log,
                                     store::view_store& views, bus::event_bus& events,
                                     bus::change_counters& changes, telemetry::metrics& metrics,
                                     telemetry::health_registry& health)
    : state_{std::make_unique<state>(settings, log, views, events, changes, metrics, health)} {}

projection_runner::~projection_runner() { stop(); }

result<void> projection_runner::add(projection_spec spec,
                                    std::shared_ptr<projection_behavior> behavior) {
    auto p = std::make_shared<projection>(std::move(spec), std::move(behavior));
    p->shown.name = p->spec.name;
    p->shown.plugin = p->spec.plugin;
    p->shown.version = p->spec.version;
    p->shown.inline_mode = p->spec.inline_mode;
    p->shown.models = p->spec.models;
    p->shown.state = projection_state::catching_up;
    const telemetry::labels label{{"projection", p->spec.name}};
    p->applied = &state_->metrics.counter_for("flexcore_projection_events_total",
                                              "Events applied by a projection", label);
    p->failures = &state_->metrics.counter_for("flexcore_projection_failures_total",
                                               "Batches of a projection that failed", label);
    {
        const std::unique_lock lock{state_->names};
        if (state_->projections.contains(p->spec.name)) {
            return fail(bus::bus_errc::duplicate_name,
                        "projection " + p->spec.name + " exists already");
        }
        for (const auto& model : p->spec.models) {
            if (const auto taken = state_->writers.find(model.name);
                taken != state_->writers.end()) {
                return fail(bus::bus_errc::duplicate_name, "read model " + model.name +
                                                               " is written by projection " +
                                                               taken->second->spec.name);
            }
        }
        // A metric cannot be withdrawn: a projection that comes again goes on with its source.
        auto& source = state_->lag_sources[p->spec.name];
        if (source) {
            p->lag_from = source;
        } else {
            source = p->lag_from;
            state_->metrics.gauge_from("flexcore_projection_lag_events",
                                       "Positions between a projection and the head", label,
                                       [from = source, events = &state_->events] {
                                           const auto head = events->head();
                                           const auto at = from->load(std::memory_order_relaxed);
                                           return head > at ? static_cast<double>(head - at) : 0.0;
                                       });
        }
        state_->projections[p->spec.name] = p;
        for (const auto& model : p->spec.models) state_->writers[model.name] = p;
    }
    state_->health.add("projection." + p->spec.name, false, [weak = std::weak_ptr{p}] {
        telemetry::health_report report;
        const auto shown = weak.lock();
        if (!shown) return report;
        const std::lock_guard lock{shown->mutex};
        if (shown->shown.state == projection_state::stopped) {
            report.state = telemetry::health::degraded;
            report.text = shown->shown.error;
        }
        return report;
    });
    if (!state_->running.load()) return {};
    state_->wake->ring();
    std::unique_lock lock{p->mutex};
    p->opened.wait(lock, [&] { return p->tried_open || state_->stopping.load(); });
    return {};
}

void projection_runner::remove(std::string_view name, std::move_only_function<void()> removed) {
    const auto p = state_->find(name);
    if (!p) {
        removed();
        return;
    }
    if (!state_->running.load()) {
        state_->forget(p);
        removed();
        return;
    }
    {
        const std::lock_guard lock{p->mutex};
        p->removal = std::move(removed);
    }
    state_->wake->ring();
    if (!state_->running.load()) state_->finish_removals();  // stopped meanwhile
}

std::vector<projection_status> projection_runner::all() const {
    std::vector<projection_status> list;
    for (const auto& p : state_->all()) list.push_back(state_->status_of(*p));
    return list;
}

result<projection_status> projection_runner::status(std::string_view name) const {
    const auto p = state_->find(name);
    if (!p) return fail(unknown(name));
    return state_->status_of(*p);
}

result<void> projection_runner::rebuild(std::string_view name) {
    const auto p = state_->find(name);
    if (!p) return fail(unknown(name));
    {
        const std::lock_guard lock{p->mutex};
        if (p->shown.state == projection_state::paused) {
            return fail(wrong_state("the projection is paused; resume it first"));
        }
        if (p->being_built || p->rebuild_wish) {
            return fail(wrong_state("the projection is being rebuilt already"));
        }
        p->rebuild_wish = true;
        p->shown.state = projection_state::rebuilding;
    }
    state_->wake->ring();
    return {};
}

result<void> projection_runner::pause(std::string_view name) {
    const auto p = state_->find(name);
    if (!p) return fail(unknown(name));
    {
        const std::lock_guard lock{p->mutex};
        if (p->shown.state == projection_state::paused) {
            return fail(wrong_state("the projection is paused already"));
        }
        p->pause_wish = true;
        p->shown.state = projection_state::paused;
    }
    state_->wake->ring();
    return {};
}

result<void> projection_runner::resume(std::string_view name) {
    const auto p = state_->find(name);
    if (!p) return fail(unknown(name));
    {
        const std::lock_guard lock{p->mutex};
        if (p->shown.state == projection_state::paused) {
            p->pause_wish = false;
            p->shown.state = projection_state::catching_up;
        } else if (p->shown.state != projection_state::stopped) {
            return fail(wrong_state("the projection is neither paused nor stopped"));
        }
        p->retry_wish = true;
        p->shows_to_go_on();
    }
    state_->wake->ring();
    return {};
}

result<void> projection_runner::skip(std::string_view name, store::position at) {
    const auto p = state_->find(name);
    if (!p) return fail(unknown(name));
    {
        const std::lock_guard lock{p->mutex};
        if (at == 0 || (p->shown.poison != at && p->building_poison != at)) {
            return fail(
                wrong_state("the projection does not stand at position " + std::to_string(at)));
        }
        p->skip_wish = at;
        p->shows_to_go_on();
    }
    state_->wake->ring();
    return {};
}

std::vector<std::pair<store::model_spec, std::string>> projection_runner::models() const {
    std::vector<std::pair<store::model_spec, std::string>> list;
    for (const auto& p : state_->all()) {
        for (const auto& model : p->spec.models) list.emplace_back(model, p->spec.name);
    }
    return list;
}

bool projection_runner::applied(store::position pos) const noexcept {
    return state_->gate.load(std::memory_order_acquire) >= pos;
}

void projection_runner::when_applied(store::position pos, deadline until,
                                     std::move_only_function<void()> done) {
    state_->waiters.add([this, pos] { return applied(pos); }, until,
                        [done = std::move(done)](bool) mutable { done(); });
}

store::position projection_runner::reached(const std::vector<std::string>& models) const {
    return state_->reached(models);
}

void projection_runner::when_reached(const std::vector<std::string>& models, store::position pos,
                                     deadline until, std::move_only_function<void(bool)> done) {
    state_->waiters.add([s = state_.get(), models, pos] { return s->reached(models) >= pos; },
                        until, std::move(done));
}

void projection_runner::start() {
    FLEXCORE_CHECK(!state_->running.exchange(true));
    state_->thread = runtime::start_thread("projector", [s = state_.get()] {
        run_in_background();
        s->run();
    });
    for (const auto& p : state_->all()) {
        std::unique_lock lock{p->mutex};
        p->opened.wait(lock, [&] { return p->tried_open; });
    }
}

void projection_runner::stop() {
    state_->stopping.store(true);
    state_->wake->ring();
    for (const auto& p : state_->all()) {
        const std::lock_guard lock{p->mutex};
        p->opened.notify_all();
    }
    if (state_->thread.joinable()) state_->thread.join();
    state_->running.store(false);
    state_->finish_removals();
    state_->waiters.stop();
}

}  // namespace flexcore::domain

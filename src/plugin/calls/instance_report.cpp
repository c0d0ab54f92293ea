// What is told about an instance: numbers, texts, its health.
#include "plugin/calls/failure.hpp"
#include "plugin/calls/instance.hpp"
#include "plugin/calls/message.hpp"
#include "telemetry/log.hpp"

#include <mutex>
#include <utility>

namespace flexcore::plugin {

void instance::note_failure(const call_failure& failure) {
    // A domain that refuses or finds nothing does its work.
    if (failure.from == call_failure::origin::plugin &&
        (failure.status == FXC_REJECTED || failure.status == FXC_INVALID ||
         failure.status == FXC_NOT_FOUND))
        return;
    calls_failed_.fetch_add(1, std::memory_order_relaxed);
    auto text = failure_text(failure);
    telemetry::log(telemetry::level::warn, "plugin", "a call failed",
                   {{"plugin", name()}, {"why", std::string_view{text}}});
    const std::lock_guard lock{text_mutex_};
    last_error_ = std::move(text);
}

void instance::note_stale(std::string_view what) {
    stale_.fetch_add(1, std::memory_order_relaxed);
    telemetry::log(telemetry::level::warn, "plugin", "a stale completion was ignored",
                   {{"plugin", name()}, {"what", what}});
}

std::string instance::last_error() const {
    const std::lock_guard lock{text_mutex_};
    return last_error_;
}

instance::numbers instance::count() const {
    std::uint64_t overdue = 0;
    calls_.each([&](call& of) {
        // One that is held works for somebody who waits: not overdue.
        const std::unique_lock lock{of.guard, std::try_to_lock};
        if (lock && of.published && of.answered) ++overdue;
    });
    return {calls_made_.load(), calls_failed_.load(), calls_.in_flight(), overdue, stale_.load()};
}

void instance::publish_metrics() {
    const numbers now = count();
    const telemetry::labels labels{{"plugin", name()}};
    auto& metrics = environment_.metrics;
    const auto grow = [&](const char* series, const char* help, std::uint64_t value,
                          std::uint64_t& published) {
        if (value == published) return;
        metrics.counter_for(series, help, labels).add(static_cast<double>(value - published));
        published = value;
    };
    const std::lock_guard lock{publish_mutex_};
    if (abandoned_) return;
    grow("flexcore_plugin_calls_total", "Calls made to plugins", now.calls, calls_published_);
    grow("flexcore_plugin_failures_total", "Calls that plugins failed", now.failures,
         failed_published_);
    grow("flexcore_plugin_stale_completions_total", "Late and double completions by plugins",
         now.stale_completions, stale_published_);
    metrics.gauge_for("flexcore_plugin_in_flight", "Calls plugins have not completed", labels)
        .set(static_cast<double>(now.in_flight));
    metrics
        .gauge_for("flexcore_plugin_overdue", "Calls past their deadline that plugins still owe",
                   labels)
        .set(static_cast<double>(now.overdue));
}

// ---- health

void instance::ask_health(health_done done) {
    {
        const std::lock_guard lock{health_mutex_};
        health_waiting_.push_back(std::move(done));
        if (health_waiting_.size() > 1) return;
    }
    // A question that is overdue may hold a thread: it stays the only one.
    const fxc_call before = health_handle_.load();
    if (before != 0 && cancelled(before))
        return answer_health(telemetry::health_report{telemetry::health::unhealthy,
                                                      "has not answered an earlier question"});
    auto opened = open(call_kind::health, monotonic::now() + environment_.settings.health_timeout);
    if (!opened) return answer_health(fail(std::move(opened).error()));
    call& of = **opened;
    fill_nothing(of);
    health_handle_ = of.handle();
    of.on_worker = false;
    of.done = [self = shared_from_this()](call_outcome&& outcome) {
        using telemetry::health;
        if (!outcome.failure) return self->answer_health(telemetry::health_report{});
        const auto& failure = *outcome.failure;
        // A dependency that is down, or too much to do, passes; the rest does not by itself.
        const bool passing = failure.from == call_failure::origin::plugin &&
                             (failure.status == FXC_UNAVAILABLE || failure.status == FXC_BUSY);
        self->answer_health(telemetry::health_report{passing ? health::degraded : health::unhealthy,
                                                     failure_text(failure)});
    };
    run(of);
}

void instance::answer_health(const result<telemetry::health_report>& report) {
    std::vector<health_done> waiting;
    {
        const std::lock_guard lock{health_mutex_};
        waiting.swap(health_waiting_);
    }
    for (auto& done : waiting) done(report);
}

}  // namespace flexcore::plugin

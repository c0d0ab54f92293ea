// instance: one running generation of a plugin: its object, its tables, its calls, its host.
//
// Way of a call: open → fill → run. The handler runs on this thread when it may (a worker or the
//           projector, and nobody inside or the plugin is reentrant), else on a worker. What
//           completes inside the handler is delivered after it returned, on the same thread,
//           without timer or lock on the way; what completes later is delivered on a worker.
// Deadline: a sweep, every 20 ms while calls are open, answers those that are late, marks them
//           cancelled and tells the plugin (`cancel`). Such a call stays open, "overdue", until the
//           plugin completes it: it counts against in_flight_max and holds up an unload.
// Stuck:    an overdue call whose handler has not even returned holds a thread. A plugin with two
//           of them (one, if not reentrant) gets no more threads until they return: busy. No batch
//           is applied while an earlier one is open: it was given up, and all projections would
//           wait for the next as well.
// Threads:  any, unless said otherwise.
// Lifetime: kept by the host until it is quiet and unmapped; every other one is abandoned.
#pragma once

#include "base/result.hpp"
#include "flexcore/plugin_abi.h"
#include "plugin/calls/boundary.hpp"
#include "plugin/calls/call_table.hpp"
#include "plugin/calls/metrics_service.hpp"
#include "plugin/calls/serial_gate.hpp"
#include "plugin/loading/catalogue.hpp"
#include "plugin/loading/library.hpp"
#include "plugin/loading/tables.hpp"
#include "plugin/plugin_host.hpp"
#include "runtime/executor.hpp"
#include "runtime/timers.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::plugin {

/// What the host lends to its instances; not touched after `abandon`.
struct environment {
    runtime::executor& workers;
    runtime::timers& timers;
    telemetry::metrics& metrics;
    metric_names& names;
    plugin_settings settings;
};

/// The tables a plugin sees.
struct host_tables {
    fxc_host host;
    fxc_log log;
    fxc_metrics metrics;
    fxc_views views;
};
[[nodiscard]] host_tables make_host_tables(void* ctx);

class instance : public std::enable_shared_from_this<instance> {
public:
    instance(library, catalogue, const environment&);
    instance(const instance&) = delete;
    instance& operator=(const instance&) = delete;
    ~instance();

    [[nodiscard]] const std::string& name() const noexcept { return library_.name(); }
    [[nodiscard]] const library& file() const noexcept { return library_; }
    [[nodiscard]] const catalogue& brings() const noexcept { return catalogue_; }
    [[nodiscard]] const interface_tables& tables() const noexcept { return tables_; }
    [[nodiscard]] fxc_instance* object() const noexcept { return object_; }
    [[nodiscard]] metrics_service& plugin_metrics() noexcept { return metrics_; }

    // ---- life; one thread at a time (the host's turn)

    /// open and create, then the tables. Errors: refused (the plugin's text), bad_abi.
    [[nodiscard]] result<void> create(const std::string& config_json);
    /// start and drain run on a thread of their own, so that one that hangs holds nobody up.
    /// Errors: refused, timeout; for drain: drain_timeout, failed.
    [[nodiscard]] result<void> start();
    [[nodiscard]] result<void> drain(deadline until);
    /// No new calls from now on.
    void close() noexcept { closed_ = true; }
    /// Nothing in flight, nobody inside, no state left. False: not before `until`.
    [[nodiscard]] bool wait_until_quiet(deadline until) const;
    /// "2 calls, oldest 41 s"
    [[nodiscard]] std::string why_not_quiet() const;
    /// destroy and close the plugin. Requires quiet.
    void destroy();
    /// After destroy. True: out of memory again; false: left mapped.
    [[nodiscard]] bool unmap();
    /// For one that stays mapped or never became quiet: answers every open call, touches the
    /// environment never again, and is never freed, since threads of the plugin may come back
    /// through the host functions until the process ends.
    static void abandon(const std::shared_ptr<instance>&);

    // ---- calls

    /// A call to fill and run. Errors: busy, draining.
    [[nodiscard]] result<call*> open(call_kind, deadline until);
    void run(call&);
    /// Blocks until the outcome is there (by the deadline, unless the handler does not return).
    [[nodiscard]] call_outcome run_and_wait(call&);
    /// A plain function of the plugin: alone in it unless reentrant. The text of an exception, or
    /// that nobody let us in, as an error (plugin_errc::failed, busy). Waits for its turn a moment.
    [[nodiscard]] result<void> plain(std::move_only_function<void()> work);
    /// Gives a native state back to the plugin, now or as soon as the plugin is free. Not on a
    /// thread of the plugin.
    void release_state(fxc_state*);
    void count_state() noexcept { ++states_; }
    using health_done = std::move_only_function<void(result<telemetry::health_report>)>;
    /// The plugin's own health, now. `done` once, on any thread. Who asks meanwhile gets the same
    /// answer; while an earlier question is overdue the plugin is unhealthy and not asked.
    void ask_health(health_done done);

    // ---- for the host functions

    /// The open, unanswered call behind a handle, locked; empty when there is none.
    struct locked_call {
        call* at = nullptr;
        std::unique_lock<std::mutex> lock;
    };
    [[nodiscard]] locked_call find(fxc_call) const;
    /// NULL when the handle is stale; an answered call has its info until it is completed.
    [[nodiscard]] const fxc_call_info* info(fxc_call) const;
    /// Nothing when the handle is stale.
    [[nodiscard]] std::optional<bool> cancelled(fxc_call) const;
    void complete(fxc_call, std::optional<call_failure>, std::string result);
    [[nodiscard]] const host_tables& seen_by_plugin() const noexcept { return host_; }

    struct numbers {
        std::uint64_t calls, failures, in_flight, overdue, stale_completions;
    };
    [[nodiscard]] numbers count() const;
    [[nodiscard]] std::string last_error() const;

private:
    struct delivery {
        outcome_done done;
        call_outcome outcome;
        std::shared_ptr<const void> keep;
        bool direct = false;
    };
    [[nodiscard]] bool is_stuck_for(call_kind) const noexcept;
    void step_in(call&, bool gated);
    void turn_away(call&);
    void call_plugin(call&);
    void take(call&, delivery& into);
    void deliver(delivery&);
    void arm();
    void sweep();
    void tell_cancelled(fxc_call);
    void answer_health(const result<telemetry::health_report>&);
    void note_failure(const call_failure&);
    void note_stale(std::string_view what);
    [[nodiscard]] call_outcome lifecycle_call(call_kind, deadline until);
    void publish_metrics();
    void cut_off();

    library library_;
    catalogue catalogue_;
    environment environment_;
    interface_tables tables_;
    host_tables host_;
    metrics_service metrics_;
    fxc_instance* object_ = nullptr;
    bool opened_ = false;
    bool reentrant_ = false;
    serial_gate gate_;
    call_table calls_;

    std::atomic<bool> closed_{false};
    std::atomic<bool> abandoned_{false};
    std::atomic<bool> armed_{false};
    std::atomic<bool> drained_late_{false};
    std::atomic<fxc_call> drain_handle_{0};
    std::atomic<std::uint32_t> inside_{0};
    std::atomic<std::uint32_t> stuck_{0};
    std::atomic<std::uint32_t> applies_open_{0};
    std::atomic<std::uint64_t> states_{0};
    std::atomic<std::uint64_t> calls_made_{0}, calls_failed_{0}, stale_{0};

    std::mutex health_mutex_;
    std::vector<health_done> health_waiting_;
    std::atomic<fxc_call> health_handle_{0};

    mutable std::mutex text_mutex_;
    std::string last_error_;
    std::mutex publish_mutex_;
    std::uint64_t calls_published_ = 0, failed_published_ = 0, stale_published_ = 0;
};

}  // namespace flexcore::plugin

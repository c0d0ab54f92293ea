// aggregate_runtime: runs commands against aggregates, one lane per instance.
//
// Lane:    commands of one instance are decided one after the other, whatever waits in one go, and
//          written as one append with the exact version. A version conflict drops the cached state,
//          reloads and decides again, `attempts_max` times in all. A refusal is answered only after
//          every earlier append of its lane is durable; if one fails, all decided on top of it is
//          decided again. A command with idempotency keys ends its go.
// Cache:   hot states stay in memory with their version (bounded in number and bytes, least
//          recently used goes). A state is brought up to date, or dropped, before it is used again
//          when a commit came by another way.
// Snapshot: a state that took many events to fold is kept, under its reducer's version, and is used
//          when the log has the event it was taken at. Derived: without it the events are read.
// Deleted: a stream that was deleted and not written again counts as version 0; its versions go on.
// Answers: besides those of the command bus: version_conflict with "current_version" (not what the
//          client expects, or changed by others at every attempt), domain_errc::log_incompatible,
//          the store's. handler_failed when the behavior fails; the lane lives on. A decide that is
//          not done by its deadline is given up when the next command comes for its lane.
// Threads: `execute` on any thread; deciding on `workers`. Registration on any thread.
#pragma once

#include "bus/command_bus.hpp"
#include "bus/event_bus.hpp"
#include "domain/aggregate_behavior.hpp"
#include "domain/errc.hpp"
#include "runtime/executor.hpp"
#include "store/event_log.hpp"
#include "store/snapshot_store.hpp"
#include "telemetry/metrics.hpp"

#include <cstddef>
#include <memory>
#include <string_view>

namespace flexcore::domain {

struct aggregate_settings {
    std::size_t cached_max = 50'000;
    std::size_t cached_bytes_max = 64u << 20;
    std::size_t lane_waiting_max = 1'024;  ///< beyond: busy
    std::size_t lane_batch_max = 128;      ///< commands decided in one go
    int attempts_max = 20;
    std::size_t snapshot_every = 500;           ///< events; 0 would be after each
    std::size_t snapshot_bytes_max = 4u << 20;  ///< larger states are read from their events
};

class aggregate_runtime final : public bus::command_handler {
public:
    aggregate_runtime(aggregate_settings, store::event_log&, bus::event_bus&,
                      runtime::executor& workers, telemetry::metrics&,
                      store::snapshot_store* = nullptr);
    ~aggregate_runtime() override;

    /// bus_errc::duplicate_name when the category is taken.
    [[nodiscard]] result<void> add(aggregate_spec, std::shared_ptr<aggregate_behavior>);
    /// Refuses new commands of the category (unavailable), runs `drained` when its lanes are idle
    /// and its cached states are released.
    void remove(std::string_view category, std::move_only_function<void()> drained);

    void execute(bus::accepted_command, bus::command_done) override;

private:
    struct state;
    std::shared_ptr<state> state_;
};

}  // namespace flexcore::domain

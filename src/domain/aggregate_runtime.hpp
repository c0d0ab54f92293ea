// aggregate_runtime: runs commands against aggregates, one lane per instance.
//
// Lane:    commands of one instance are decided one after the other, whatever waits in one go, and
//          appended in one batch with exact versions. A version conflict drops the cached state,
//          reloads and decides again, `attempts_max` times. A refusal is answered only after every
//          earlier append of its lane is durable; if one fails, all decided on top of it is
//          decided again.
// Cache:   hot states stay in memory with their version (bounded in number and bytes, least
//          recently used goes). Commits that come by another way drop the state.
// Threads: `execute` on any thread; deciding on `workers`. Registration on any thread.
#pragma once

#include "bus/command_bus.hpp"
#include "bus/event_bus.hpp"
#include "domain/aggregate_behavior.hpp"
#include "domain/errc.hpp"
#include "runtime/executor.hpp"
#include "store/event_log.hpp"
#include "telemetry/metrics.hpp"

#include <cstddef>
#include <memory>
#include <string_view>

namespace flexcore::domain {

struct aggregate_settings {
    std::size_t cached_max = 50'000;
    std::size_t cached_bytes_max = 64u << 20;
    std::size_t lane_waiting_max = 1'024;   ///< beyond: busy
    std::size_t lane_batch_max = 128;       ///< commands decided in one go
    int attempts_max = 5;
};

class aggregate_runtime final : public bus::command_handler {
public:
    aggregate_runtime(aggregate_settings, store::event_log&, bus::event_bus&,
                      runtime::executor& workers, telemetry::metrics&);
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

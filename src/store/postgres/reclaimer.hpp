// reclaimer: frees the space of events that are not served any more, in small steps, each a
// transaction of its own (reclaim_step in migrations/postgres/0004_reclaiming.sql).
//
// Threads: the log writer's.
#pragma once

#include "store/postgres/connection.hpp"
#include "store/rule_board_impl.hpp"
#include "telemetry/metrics.hpp"

#include <memory>

namespace flexcore::store::postgres {

class reclaimer {
public:
    reclaimer(std::shared_ptr<rule_board> rules, telemetry::counter* removed)
        : rules_{std::move(rules)}, removed_{removed} {}

    /// Categories that are kept, as the database knows them.
    [[nodiscard]] result<void> load(connection&);
    /// Rules have changed: a pass goes on or begins soon.
    void rules_changed() noexcept {
        due_ = std::min(due_, monotonic::now() + pause_busy);
        changed_ = true;
    }
    /// Takes a step when one is due, one statement. `idle`: nobody waits for appends.
    [[nodiscard]] result<void> step(connection&, unix_us now, bool idle);
    /// When `step` wants to be called again.
    [[nodiscard]] deadline next() const noexcept;

private:
    static constexpr std::chrono::milliseconds pause_busy{100};

    [[nodiscard]] result<void> save_kept(connection&);
    [[nodiscard]] result<void> forget(connection&, unix_us now);

    const std::shared_ptr<rule_board> rules_;
    telemetry::counter* const removed_;
    std::uint64_t at_stream_ = 0;  ///< up to here in this pass
    bool forgetting_ = false;      ///< the pass is over, but for ids of what was removed
    bool changed_ = false;         ///< rules have, since the pass began
    deadline due_{};
};

}  // namespace flexcore::store::postgres

// aggregate_behavior: what a kind of aggregate does, as a port. Implemented by the plugin module.
//
// Pure: no clock, no I/O; the same state and command give the same decision.
// Threads: one state is used by one thread at a time; different states concurrently.
#pragma once

#include "base/arena.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "bus/command_bus.hpp"
#include "store/event.hpp"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::domain {

/// The folded events of one aggregate; the behavior's own.
class aggregate_state {
public:
    virtual ~aggregate_state() = default;
    /// Rough size in memory, for the bound on cached aggregates.
    [[nodiscard]] virtual std::size_t bytes() const noexcept { return 256; }
};

/// An accepted command: its events (none is fine) and its result.
struct decision {
    std::vector<store::new_event> events;   ///< ids nil; texts in `texts`
    std::shared_ptr<bytes_arena> texts;     ///< owns them (and spans of tags)
    std::string result = "null";            ///< raw JSON
};
/// A refusal is bus_errc::command_rejected with member "reason".
using decided = std::move_only_function<void(result<decision>)>;

class aggregate_behavior {
public:
    virtual ~aggregate_behavior() = default;

    /// The state of an aggregate without events.
    [[nodiscard]] virtual result<std::unique_ptr<aggregate_state>> initial() = 0;
    /// Folds; after a failure the state is not used again.
    [[nodiscard]] virtual result<void> evolve(aggregate_state&,
                                              std::span<const store::recorded_event>) = 0;
    /// Calls `done` once, inside the call or later on any thread, at the command's deadline at the
    /// latest. State and command stay valid until then.
    virtual void decide(const aggregate_state&, const bus::accepted_command&, decided done) = 0;
};

struct aggregate_spec {
    std::string category;
    std::uint32_t reducer_version = 1;
    std::string plugin;
};

}  // namespace flexcore::domain

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
#include <optional>
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
    std::vector<store::new_event> events;  ///< ids nil; texts in `texts`
    std::shared_ptr<bytes_arena> texts;    ///< owns them (and spans of tags)
    std::string result = "null";           ///< raw JSON
};
/// A refusal is bus_errc::command_rejected with member "reason", wrong input validation_failed.
using decided = std::move_only_function<void(result<decision>)>;

class aggregate_behavior {
public:
    virtual ~aggregate_behavior() = default;

    /// The state of an aggregate without events.
    [[nodiscard]] virtual result<std::unique_ptr<aggregate_state>> initial() = 0;
    /// The state as bytes, which `restore` of the same reducer version makes it of again; nothing
    /// when it has no such form or is in use.
    [[nodiscard]] virtual std::optional<std::string> snapshot(const aggregate_state&) {
        return std::nullopt;
    }
    /// Of a snapshot of the same reducer version. A failure means that the events are read.
    [[nodiscard]] virtual result<std::unique_ptr<aggregate_state>> restore(
        std::string_view snapshot);
    /// Folds; after a failure the state is not used again. Runs before a decision is written and
    /// when a stream is read back, and sees the same both times: id is nil, `pos` and
    /// `recorded_at` are 0. Events that cannot be folded are not written (handler_failed).
    [[nodiscard]] virtual result<void> evolve(aggregate_state&,
                                              std::span<const store::recorded_event>) = 0;
    /// Calls `done` once, inside the call or later on any thread, at the command's deadline at the
    /// latest. State and command stay valid until then. A refusal, wrong input and a failure with
    /// busy or unavailable leave the state in use; after any other failure it is released when
    /// `done` has returned. Answered by another thread, the lane goes on though the call has not
    /// returned.
    /// Metadata of an event is added to the command's; of two alike the command's counts.
    virtual void decide(const aggregate_state&, const bus::accepted_command&, decided done) = 0;
};

struct aggregate_spec {
    std::string category;
    std::uint32_t reducer_version = 1;
    std::string plugin;
};

}  // namespace flexcore::domain

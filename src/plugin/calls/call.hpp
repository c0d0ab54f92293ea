// call: one invocation of a plugin, from opening to its one completion. Lives in a call_table's
// slot and is used again and again, so that a call on the hot path allocates next to nothing.
//
// Life:    opened (filled by its opener alone) → published → [waiting for the gate] → inside the
//          handler → parked (returned, not completed) → completed. `answered`: the deadline passed
//          and the caller has its answer; the plugin still owes the completion.
// Threads: after `published` everything is read and written under `guard`, but for what the plugin
//          was handed (info, messages), which rests until the slot is opened again.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "bus/query_bus.hpp"
#include "domain/aggregate_behavior.hpp"
#include "domain/projection_behavior.hpp"
#include "flexcore/plugin_abi.h"
#include "plugin/loading/catalogue.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::plugin {

enum class call_kind : std::uint8_t { start, drain, health, process, decide, evolve, apply, query };

/// How the plugin ended a call that did not succeed; or why the host ended it.
struct call_failure {
    enum class origin : std::uint8_t {
        plugin,    ///< call_fail: status, message and problem are the plugin's
        contract,  ///< it broke the contract: `message` says how
        deadline,  ///< not completed in time
        host       ///< a service of the host failed: `cause`
    };
    origin from = origin::plugin;
    fxc_status status = FXC_INTERNAL;
    std::string message;       ///< UTF-8
    std::string problem_json;  ///< as the plugin gave it, at most 64 KiB
    error cause;
};

/// What a call came to; exactly one of the two forms counts.
struct call_outcome {
    std::unique_ptr<call_failure> failure;  ///< null: it succeeded
    std::string result;
    domain::decision decision;  ///< of decide: what was emitted
};

/// Runs once with the outcome.
using outcome_done = std::move_only_function<void(call_outcome&&)>;

struct call {
    std::mutex guard;
    std::uint32_t index = 0;       ///< of its slot
    std::uint32_t generation = 1;  ///< of the handle; grows when the slot is given back

    bool published = false;
    bool inside = false;
    bool started = false;
    bool completed = false;
    bool answered = false;
    bool stuck = false;     ///< answered while inside: its handler has not returned
    bool direct = false;    ///< deliver on the completing thread (a blocked thread waits for it)
    bool on_worker = true;  ///< the opener is on a thread that may run plugin code
    call_kind kind = call_kind::process;
    deadline until = no_deadline;
    monotonic::time_point began;

    // Handed to the plugin.
    fxc_call_info info{};
    std::vector<char> texts;
    std::vector<fxc_view> tags;
    std::vector<fxc_message> messages;
    std::vector<const fxc_message*> pointers;
    std::shared_ptr<const void> keep;         ///< owns what `info.state` or `state` points to
    const fxc_state* state = nullptr;         ///< of a native aggregate; else NULL
    std::atomic<bool>* state_busy = nullptr;  ///< cleared when the plugin has let go of the state
    fxc_handler handler = nullptr;            ///< what to run, unless `kind` or `state` says it

    // What host functions need to know.
    const aggregate_entry* emits_for = nullptr;  ///< decide: whose events may be emitted
    std::string_view emit_stream;                ///< decide: in `texts`
    std::size_t emitted_bytes = 0;
    domain::projection_views* projection_views = nullptr;
    bus::query_views* query_views = nullptr;
    const std::vector<std::string>* models_read = nullptr;
    const std::vector<std::string>* models_written = nullptr;
    store::position first_position = 0, last_position = 0;  ///< of apply's events

    call_outcome outcome;
    outcome_done done;

    [[nodiscard]] fxc_call handle() const noexcept {
        return (std::uint64_t{generation} << 32) | (std::uint64_t{index} + 1);
    }
    /// The contract was broken or a service failed: whatever the plugin says, the call fails.
    void doom(call_failure why) {
        if (!outcome.failure) outcome.failure = std::make_unique<call_failure>(std::move(why));
    }
};

}  // namespace flexcore::plugin

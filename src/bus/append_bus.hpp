// append_bus: the way of raw appends (the streams API) into the log: authorizer, idempotency key,
// the append itself, waiting for inline projections. Commands use the same log underneath.
//
// Threads: `append` on any thread; the reply runs once, on any thread, and must be quick.
#pragma once

#include "bus/caller.hpp"
#include "bus/errc.hpp"
#include "bus/inline_gate.hpp"
#include "bus/key_registry.hpp"
#include "store/event_log.hpp"
#include "telemetry/metrics.hpp"

#include <functional>
#include <memory>
#include <string>

namespace flexcore::bus {

struct raw_append {
    store::append_request request;  ///< tenant and keys are set by the bus
    caller who;
    std::string idempotency_key;  ///< scope (route) included by the caller; empty: none
    std::string fingerprint;
    /// Makes the answer that is stored and sent; the replay sends the same bytes.
    std::function<std::string(const store::append_outcome&)> render;
};
struct append_answer {
    store::append_outcome outcome;  ///< empty when replayed by key
    std::string body;               ///< rendered, or the stored one
    bool replayed = false;          ///< by key
};
using append_answered = std::move_only_function<void(result<append_answer>)>;

class append_bus {
public:
    append_bus(store::event_log&, const authorizer&, inline_gate&, key_registry&,
               telemetry::metrics&, monotonic::duration inline_wait);
    ~append_bus();
    void append(raw_append, append_answered);

private:
    struct state;
    std::shared_ptr<state> state_;
};

}  // namespace flexcore::bus

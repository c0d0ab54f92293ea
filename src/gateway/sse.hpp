// Server-Sent Events: the log from a position on, then what is committed, for ever.
//
// Order:   nothing skipped, nothing twice, resumable by the last id. `id:` moves on (at most once a
//          second) while nothing matches, so that a reconnect does not scan the same again.
// Bounds:  nothing is taken for a client that has `unsent_bytes_max` unsent; it takes the rest
// later
//          from the log.
#pragma once

#include "gateway/api.hpp"
#include "store/event_log.hpp"

namespace flexcore::gateway {

/// Takes over the exchange. Errors of the subscription are answered as problems.
void serve_events(const std::shared_ptr<api>&, responder, store::log_filter, store::position after);

}  // namespace flexcore::gateway

// Events over a WebSocket: the log from a position on, an event per text frame, as many as the
// client has given credit for.
//
// Client:  `{"credit": n}` adds n (1 to credit_max, in all at most credit_max); each event uses
// one.
//          Anything else ends the socket with a close code that says why.
// Order:   nothing skipped, nothing twice; the next credit goes on behind the last event sent.
// Alive:   a client that is silent for half of `socket_idle_timeout` is pinged; one that stays
//          silent, pongs included, is cut. Silence does not count while bytes for it are unsent,
//          and what the kernel was given buys time at 16 KiB/s. Slow readers are cut by the write
//          timeout, as all are.
#pragma once

#include "gateway/api.hpp"
#include "store/event_log.hpp"

namespace flexcore::gateway {

/// Events a client may have asked for and not yet been sent.
inline constexpr std::uint64_t credit_max = 1'000'000;
/// A message of a client, which is a handful of bytes when it is right.
inline constexpr std::size_t socket_message_bytes_max = 4096;

/// Takes over the exchange. Errors of the handshake and the subscription are answered as problems.
void serve_event_socket(const std::shared_ptr<api>&, responder, store::log_filter,
                        store::position after);

}  // namespace flexcore::gateway

// What an append request must look like before it is queued, and how much of the queue it takes.
//
// Errors:  store_errc::invalid_request, naming what is wrong.
// Threads: free functions without state; run on the caller's thread, off the writer's.
#pragma once

#include "store/event_log.hpp"

namespace flexcore::store {

inline constexpr std::size_t idempotency_key_bytes_max = 1024;
inline constexpr std::size_t idempotency_keys_max = 2;

struct request_size {
    std::size_t events = 0;
    std::size_t bytes = 0;
};

[[nodiscard]] result<request_size> check_request(const append_request&);

}  // namespace flexcore::store

// scan_log: one call of event_log::read_log over one session.
//
// Without a selector the positions are read in their order. With one, its names' ids are looked up
// and with them how dense each list (of a type, a category, a tag) is from here on; then the
// sparsest list of each clause is read instead, and its events are held against the selector. A
// tenant that turns out to be rare is read through the lists of its categories.
//
// Bounds:  events_looked_at_max, and a handful of statements.
// Threads: free function; the session is the caller's.
#pragma once

#include "store/event_log.hpp"
#include "store/postgres/connection.hpp"

namespace flexcore::store::postgres {

struct log_scan {
    position after = 0;
    std::size_t limit = 1;  ///< at most events_looked_at_max
    direction way = direction::forward;
    position head = 0;
    unix_us now = 0;
};

[[nodiscard]] result<log_page> scan_log(connection&, const log_filter&, const log_scan&);

}  // namespace flexcore::store::postgres

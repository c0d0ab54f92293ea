// Private to src/cli: what reading and following events share.
#pragma once

#include "cli/subcommands_impl.hpp"

#include <boost/json/object.hpp>

#include <string>

namespace flexcore::cli {

void add_events_read(subcommand, context&);
void add_events_tail(subcommand, context&);

/// The filters of GET /v1/events and /v1/events/stream; lists are comma-separated.
struct event_filters {
    std::string types, categories, tags, stream_prefix, since;

    [[nodiscard]] bool any() const;
    /// As query parameters; empty ones are left out by `query_string`.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> parameters() const;
};
void add_event_filters(subcommand, event_filters&);

/// "     1042  2026-11-22T10:00:00.123456Z  sales.order-1001@3  sales.order_placed  {…}"
[[nodiscard]] std::string event_line(const boost::json::object& event, std::size_t columns);

}  // namespace flexcore::cli

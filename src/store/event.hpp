// Events as they go into the log and as they come out of it.
//
// Lifetime: texts are views. A request's views live as long as its `backing`, an event_batch's as
//           long as the batch. Whoever keeps a view keeps the owner.
// Threads:  values; an event_batch is immutable once shared.
#pragma once

#include "base/clock.hpp"
#include "base/uuid.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::store {

using position = std::uint64_t;  ///< of an event in the log; 1 is first, 0 is "before all"
using version = std::uint64_t;   ///< of an event in its stream; 1 is first, 0 is "no events"

struct new_event {
    uuid id;                                 ///< nil: the log makes a UUIDv7 when it writes
    std::string_view type;                   ///< a name
    std::string_view data;                   ///< one validated JSON value, stored as these bytes
    std::string_view metadata;               ///< a validated JSON object; empty means {}
    std::span<const std::string_view> tags;  ///< names, no two alike
    std::uint32_t schema_version = 1;
};

struct recorded_event {
    position pos = 0;
    version ver = 0;
    uuid id;
    unix_us recorded_at = 0;  ///< never decreases with `pos`
    std::uint32_t schema_version = 1;
    std::string_view tenant;
    std::string_view stream;
    std::string_view type;
    std::string_view data;
    std::string_view metadata;  ///< never empty: at least {}
    std::span<const std::string_view> tags;
};

/// Events and whatever owns their texts.
struct event_batch {
    std::vector<recorded_event> events;  ///< ascending `pos` unless read backward
    std::vector<std::shared_ptr<const void>> backing;
    std::size_t bytes = 0;  ///< of all texts, for bounds
};

/// One clause of a selector: within a list any matches (tags: all), between members all hold;
/// an empty member says nothing.
struct selector_clause {
    std::vector<std::string> types;
    std::vector<std::string> tags;
    std::vector<std::string> categories;
    std::string stream_prefix;
};
/// Any clause matches; no clause at all matches everything.
using selector = std::vector<selector_clause>;

[[nodiscard]] bool matches(const selector&, const recorded_event&) noexcept;

/// What an event adds to `event_batch::bytes`.
[[nodiscard]] std::size_t text_bytes(const recorded_event&) noexcept;

}  // namespace flexcore::store

// What every backend's reads share: bounds of a page, and the errors for what is not there.
#pragma once

#include "base/result.hpp"
#include "store/event_log.hpp"

#include <fmt/format.h>

namespace flexcore::store {

inline constexpr std::size_t page_bytes_max = 4u << 20;
/// Events one call of read_log looks at before it answers with what it has.
inline constexpr std::size_t events_looked_at_max = 20'000;

[[nodiscard]] inline result<void> check_limit(std::size_t limit) {
    if (limit == 0) return fail(store_errc::invalid_request, "limit must be at least 1");
    return {};
}

[[nodiscard]] inline bool page_is_full(const event_batch& page, std::size_t limit) noexcept {
    return page.events.size() >= limit || page.bytes >= page_bytes_max;
}

[[nodiscard]] inline bool matches_filter(const log_filter& filter,
                                         const recorded_event& event) noexcept {
    if (filter.tenant && event.tenant != *filter.tenant) return false;
    if (filter.since && event.recorded_at < *filter.since) return false;
    return matches(filter.what, event);
}

[[nodiscard]] inline error no_such_stream(std::string_view stream) {
    return {store_errc::stream_not_found, fmt::format("there is no stream {}", stream)};
}

[[nodiscard]] inline error stream_is_deleted(std::string_view stream) {
    return {store_errc::stream_deleted, fmt::format("stream {} was deleted for good", stream)};
}

[[nodiscard]] inline error no_such_event(const uuid& id) {
    return {store_errc::event_not_found, fmt::format("there is no event {}", id.to_string())};
}

}  // namespace flexcore::store

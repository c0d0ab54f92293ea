// What holds for a stream besides its events, and which of them are served because of it.
//
// All rules take away the beginning of a stream: versions, positions and times ascend together.
// Threads: values.
#pragma once

#include "store/event_log.hpp"

#include <algorithm>

namespace flexcore::store {

enum class deletion : std::uint8_t {
    none = 0,
    soft = 1,     ///< until it is written again
    forever = 2,  ///< a tombstone
};

struct stream_rules {
    unix_us max_age_us = 0;       ///< 0: no such rule
    std::uint64_t max_count = 0;  ///< 0: no such rule
    version truncate_before = 0;  ///< 0: no such rule
    deletion deleted = deletion::none;
    version deleted_to = 0;  ///< versions up to here were deleted

    void set(const stream_settings& from) {
        max_age_us = static_cast<unix_us>(from.max_age_s.value_or(0)) * 1'000'000;
        max_count = from.max_count.value_or(0);
        truncate_before = from.truncate_before.value_or(0);
    }
    [[nodiscard]] stream_settings settings() const {
        stream_settings all;
        if (max_age_us != 0) all.max_age_s = static_cast<std::uint64_t>(max_age_us) / 1'000'000;
        if (max_count != 0) all.max_count = max_count;
        if (truncate_before != 0) all.truncate_before = truncate_before;
        return all;
    }
    /// The lowest version served of a stream at version `last`, its age left out.
    [[nodiscard]] version first_served(version last) const noexcept {
        if (deleted != deletion::none) return last + 1;
        version first = std::max({version{1}, truncate_before, deleted_to + 1});
        if (max_count != 0 && last > max_count) first = std::max(first, last - max_count + 1);
        return first;
    }
    /// Events recorded before this are not served.
    [[nodiscard]] unix_us oldest_served(unix_us now) const noexcept {
        return max_age_us == 0 ? INT64_MIN : now - max_age_us;
    }
    [[nodiscard]] bool serves(version ver, unix_us recorded_at, version last,
                              unix_us now) const noexcept {
        return ver >= first_served(last) && recorded_at >= oldest_served(now);
    }
};

}  // namespace flexcore::store

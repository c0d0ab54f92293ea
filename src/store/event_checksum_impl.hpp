// The checksum that a stored event is known by: XXH3 over every field, names of tenant, stream and
// type included, so that a record that reads back differently for whatever reason is found. Not
// against forgery.
//
// Threads: free functions without state.
#pragma once

#include "store/event.hpp"

#include <cstdint>
#include <string_view>

namespace flexcore::store {

[[nodiscard]] std::uint64_t name_hash(std::string_view) noexcept;

/// What an event's names hash to; kept next to the names by whoever caches them.
struct name_hashes {
    std::uint64_t tenant = 0;
    std::uint64_t stream = 0;
    std::uint64_t type = 0;
};

/// An event as it is stored. Texts are views.
struct summed_event {
    position pos = 0;
    version ver = 0;
    std::uint64_t category = 0;
    std::uint32_t schema_version = 0;
    std::uint32_t place = 0;
    unix_us recorded_at = 0;
    uuid id;
    std::string_view tags;      ///< as the backend encodes them
    std::string_view metadata;  ///< empty means {}
    std::string_view data;
};

[[nodiscard]] std::uint64_t event_checksum(const summed_event&, const name_hashes&) noexcept;

}  // namespace flexcore::store

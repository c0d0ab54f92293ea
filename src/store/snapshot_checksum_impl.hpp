// The checksum that a kept snapshot is known by: over everything that names and makes it.
//
// Threads: free function without state.
#pragma once

#include "store/snapshot_store.hpp"

#include <cstdint>
#include <string_view>

namespace flexcore::store {

[[nodiscard]] std::uint64_t snapshot_checksum(std::string_view tenant, std::string_view stream,
                                              std::uint32_t reducer, version ver,
                                              std::string_view event_id, std::string_view state);

}  // namespace flexcore::store

#include "store/snapshot_checksum_impl.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>

namespace flexcore::store {

std::uint64_t snapshot_checksum(std::string_view tenant, std::string_view stream,
                                std::uint32_t reducer, version ver, std::string_view event_id,
                                std::string_view state) {
    const std::array<std::uint64_t, 3> head{reducer, ver, stream.size()};
    std::uint64_t sum = XXH3_64bits(head.data(), sizeof head);
    for (const auto part : {tenant, stream, event_id, state}) {
        sum = XXH3_64bits_withSeed(part.data(), part.size(), sum);
    }
    return sum;
}

}  // namespace flexcore::store

#include "store/event_checksum_impl.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>
#include <bit>
#include <type_traits>

namespace flexcore::store {

std::uint64_t name_hash(std::string_view name) noexcept {
    return XXH3_64bits(name.data(), name.size());
}

std::uint64_t event_checksum(const summed_event& event, const name_hashes& names) noexcept {
    struct fields {
        std::uint64_t pos, ver, category, place_and_schema, recorded_at;
        name_hashes names;
        std::array<std::uint8_t, 16> id;
        std::uint64_t tags_size, metadata_size;
    };
    static_assert(std::has_unique_object_representations_v<fields>);
    static_assert(std::endian::native == std::endian::little, "stored sums are little-endian");
    const fields head{.pos = event.pos,
                      .ver = event.ver,
                      .category = event.category,
                      .place_and_schema = std::uint64_t{event.place} << 32 | event.schema_version,
                      .recorded_at = static_cast<std::uint64_t>(event.recorded_at),
                      .names = names,
                      .id = event.id.bytes,
                      .tags_size = event.tags.size(),
                      .metadata_size = event.metadata.size()};
    std::uint64_t sum = XXH3_64bits(&head, sizeof head);
    for (const auto part : {event.tags, event.metadata, event.data}) {
        if (!part.empty()) sum = XXH3_64bits_withSeed(part.data(), part.size(), sum);
    }
    return sum;
}

}  // namespace flexcore::store

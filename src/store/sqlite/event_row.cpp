#include "store/sqlite/event_row.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>

namespace flexcore::store::sqlite {

std::uint64_t name_hash(std::string_view name) noexcept {
    return XXH3_64bits(name.data(), name.size());
}

std::uint64_t checksum_of(const event_row& row, const name_hashes& names) noexcept {
    struct fields {
        std::uint64_t pos, ver, category, place_and_schema, recorded_at;
        name_hashes names;
        std::array<std::uint8_t, 16> id;
        std::uint64_t tags_size, metadata_size;
    };
    static_assert(std::has_unique_object_representations_v<fields>);
    static_assert(std::endian::native == std::endian::little, "stored sums are little-endian");
    const fields head{.pos = row.pos,
                      .ver = row.ver,
                      .category = row.category,
                      .place_and_schema = std::uint64_t{row.place} << 32 | row.schema_version,
                      .recorded_at = static_cast<std::uint64_t>(row.recorded_at),
                      .names = names,
                      .id = row.id.bytes,
                      .tags_size = row.tags.size(),
                      .metadata_size = row.metadata.size()};
    std::uint64_t sum = XXH3_64bits(&head, sizeof head);
    for (const auto part : {row.tags, row.metadata, row.data}) {
        if (!part.empty()) sum = XXH3_64bits_withSeed(part.data(), part.size(), sum);
    }
    return sum;
}

event_row row_of(const statement& at) {
    event_row row;
    row.pos = at.natural(0);
    row.stream = at.natural(1);
    row.ver = at.natural(2);
    row.type = at.natural(3);
    row.category = at.natural(4);
    row.tenant = at.natural(5);
    row.schema_version = static_cast<std::uint32_t>(at.integer(6));
    row.place = static_cast<std::uint32_t>(at.integer(7));
    row.recorded_at = at.integer(8);
    row.checksum = at.natural(9);
    const auto id = at.blob(10);
    if (id.size() == row.id.bytes.size()) {
        std::copy(id.begin(), id.end(), row.id.bytes.begin());
    }
    // As blobs: SQLite would copy a text to put a zero behind it.
    row.tags = at.blob(11);
    row.metadata = at.blob(12);
    row.data = at.blob(13);
    return row;
}

void encode_tags(std::string& out, std::span<const std::string_view> tags) {
    for (const auto tag : tags) {
        out += static_cast<char>(static_cast<std::uint8_t>(tag.size()));
        out += tag;
    }
}

std::optional<std::size_t> count_tags(std::string_view encoded) noexcept {
    std::size_t count = 0;
    while (!encoded.empty()) {
        const std::size_t size = static_cast<std::uint8_t>(encoded.front());
        if (size >= encoded.size()) return std::nullopt;
        encoded.remove_prefix(size + 1);
        ++count;
    }
    return count;
}

void decode_tags(std::string_view encoded, std::string_view* out) noexcept {
    while (!encoded.empty()) {
        const std::size_t size = static_cast<std::uint8_t>(encoded.front());
        *out++ = encoded.substr(1, size);
        encoded.remove_prefix(size + 1);
    }
}

}  // namespace flexcore::store::sqlite

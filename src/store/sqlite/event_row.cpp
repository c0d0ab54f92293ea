#include "store/sqlite/event_row.hpp"

#include <algorithm>

namespace flexcore::store::sqlite {

std::uint64_t checksum_of(const event_row& row, const name_hashes& names) noexcept {
    return event_checksum({.pos = row.pos,
                           .ver = row.ver,
                           .category = row.category,
                           .schema_version = row.schema_version,
                           .place = row.place,
                           .recorded_at = row.recorded_at,
                           .id = row.id,
                           .tags = row.tags,
                           .metadata = row.metadata,
                           .data = row.data},
                          names);
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

// How an event stands in the table `events`: its columns, its tags, its checksum.
//
// Threads: free functions without state.
#pragma once

#include "store/event.hpp"
#include "store/event_checksum_impl.hpp"
#include "store/sqlite/connection.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace flexcore::store::sqlite {

/// The row of one event as it is stored. Texts are views.
struct event_row {
    position pos = 0;
    std::uint64_t stream = 0;
    version ver = 0;
    std::uint64_t type = 0;
    std::uint64_t category = 0;
    std::uint64_t tenant = 0;
    std::uint32_t schema_version = 0;
    std::uint32_t place = 0;
    unix_us recorded_at = 0;
    std::uint64_t checksum = 0;
    uuid id;
    std::string_view tags;
    std::string_view metadata;  ///< empty means {}
    std::string_view data;
};

/// In the order of `event_row`, for statements that read them with `row_of`.
inline constexpr std::string_view event_columns =
    "e.position, e.stream, e.version, e.type, e.category, e.tenant, e.schema_version, e.place,"
    " e.recorded_at, e.checksum, e.id, e.tags, e.metadata, e.data";

/// The row a statement over `event_columns` stands on; its texts live until the statement moves.
[[nodiscard]] event_row row_of(const statement&);

[[nodiscard]] std::uint64_t checksum_of(const event_row&, const name_hashes&) noexcept;

/// Appends the tags' stored form to `out`.
void encode_tags(std::string& out, std::span<const std::string_view> tags);
/// How many tags stand there; nothing when the bytes are not tags.
[[nodiscard]] std::optional<std::size_t> count_tags(std::string_view encoded) noexcept;
/// `out` has room for `count_tags`; the views point into `encoded`.
void decode_tags(std::string_view encoded, std::string_view* out) noexcept;

}  // namespace flexcore::store::sqlite

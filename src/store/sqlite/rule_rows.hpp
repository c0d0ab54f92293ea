// How retention, deletion and their traces stand in events.db: the rows of `stream_rules`,
// `holes`, `removed_ids` and `kept_categories`, and their checksums.
//
// Checksum: XXH3 over all columns but itself, in the table's order: integers as 8 bytes
//           little-endian, texts and blobs as they are at the end. Not against forgery.
// Threads:  free functions without state.
#pragma once

#include "store/sqlite/connection.hpp"
#include "store/stream_rules_impl.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace flexcore::store::sqlite {

/// A row of `stream_rules`.
struct rule_row : stream_rules {
    std::uint64_t stream = 0;
    std::uint64_t tenant = 0;
};

/// A row of `holes`: positions whose events were removed on purpose.
struct hole_row {
    position first = 0;
    position last = 0;
    std::string operation;  ///< retention, deletion
    unix_us removed_at = 0;
};

/// A row of `removed_ids`.
struct removed_row {
    position pos = 0;
    std::uint64_t tenant = 0;
    std::uint64_t stream = 0;
    version ver = 0;
    std::uint32_t place = 0;
    unix_us recorded_at = 0;
    unix_us forget_at = 0;
    uuid id;
};

inline constexpr std::string_view rule_columns =
    "stream, tenant, max_age_us, max_count, truncate_before, deleted, deleted_to, checksum";
inline constexpr std::string_view hole_columns = "first, last, operation, removed_at, checksum";
inline constexpr std::string_view removed_columns =
    "position, tenant, stream, version, place, recorded_at, forget_at, id, checksum";

[[nodiscard]] std::uint64_t checksum_of(const rule_row&) noexcept;
[[nodiscard]] std::uint64_t checksum_of(const hole_row&) noexcept;
[[nodiscard]] std::uint64_t checksum_of(const removed_row&) noexcept;
[[nodiscard]] std::uint64_t checksum_of_category(std::string_view name) noexcept;

/// The row a statement stands on, which selects the columns above, from its first on.
/// Errors: corrupt when it is not what was written; the text names table and key.
[[nodiscard]] result<rule_row> read_rule(const connection&, const statement&);
[[nodiscard]] result<hole_row> read_hole(const connection&, const statement&);
[[nodiscard]] result<removed_row> read_removed(const connection&, const statement&);

/// Parameters 1 to 8, 1 to 5, 1 to 9: all columns. The row outlives the next reset.
void bind_rule(statement&, const rule_row&);
void bind_hole(statement&, const hole_row&);
void bind_removed(statement&, const removed_row&);

}  // namespace flexcore::store::sqlite

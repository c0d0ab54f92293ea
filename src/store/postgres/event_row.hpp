// Events as the statements of this backend show them: pieces of SQL that belong together, and how
// a row becomes a recorded_event.
//
// Threads:  free functions without state.
// Lifetime: an event_page copies what it is given; views into a pqxx::result are not kept.
#pragma once

#include "store/event_page_impl.hpp"
#include "store/postgres/connection.hpp"

#include <string>
#include <string_view>

namespace flexcore::store::postgres {

/// The rules of the stream of `e`, as `r`, to stand after `FROM events e`. A subselect with a LIMIT
/// is looked up row by row: joined, the table may be read whole when it was planned while empty.
inline constexpr std::string_view with_rules =
    " LEFT JOIN LATERAL (SELECT * FROM stream_rules r WHERE r.stream = e.stream LIMIT 1) r ON true";

/// Whether `e` is served under `r`; `now` is the place of a parameter. See stream_rules::serves.
[[nodiscard]] std::string is_served(std::string_view now);

/// A condition on `n` of the table names: that it is a name of a tenant. As a range it can only be
/// looked up by kind, tenant and name; by kind and name alone many tenants' would be passed over.
[[nodiscard]] std::string is_name_of(std::string_view kind, std::string_view tenant,
                                     std::string_view name);

/// Columns of `page_of`, in this order; more may follow.
enum class column : int {
    position,
    version,
    id,
    recorded_at,
    schema_version,
    tenant,
    stream,
    type,
    tags,
    metadata,  ///< null, as `data` is, where the page has its bytes already
    data,
    place,
    category,  ///< its id
    checksum,
    count,
};

/// A select of the rows that `events` (of all columns of that table) gives, by `order` ("position",
/// "position DESC", "version", …), with names for ids, and texts for about a page's bytes: what
/// comes after that only tells that there is more.
[[nodiscard]] std::string page_of(std::string_view events, std::string_view order);

/// How many events, or more than a page may have.
[[nodiscard]] std::size_t rows_max(std::size_t limit) noexcept;

[[nodiscard]] std::int64_t integer(const pqxx::result&, int row, column) noexcept;
[[nodiscard]] std::string_view text(const pqxx::result&, int row, column) noexcept;
[[nodiscard]] bool is_null(const pqxx::result&, int row, column) noexcept;
[[nodiscard]] inline column after_page(int n) noexcept {
    return static_cast<column>(static_cast<int>(column::count) + n);
}

/// Adds the event of a row whose texts are there. Error: corrupt, when it is not what was written.
[[nodiscard]] result<void> add_row(const pqxx::result&, int row, event_page&);

/// What PostgreSQL can hold as text: UTF-8 without NUL. Nothing in the log has another name.
[[nodiscard]] bool is_storable(std::string_view) noexcept;

}  // namespace flexcore::store::postgres

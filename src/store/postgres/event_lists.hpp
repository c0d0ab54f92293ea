// Which lists of events (of a type, a category, a tag) stand for a selector, and how dense they
// are.
//
// Threads: values; `find_lists` is a free function, the session is the caller's.
#pragma once

#include "store/event_log.hpp"
#include "store/postgres/connection.hpp"

#include <vector>

namespace flexcore::store::postgres {

/// As the column `names.kind` has them.
enum class name_kind : int { tenant = 1, category = 2, type = 3, tag = 4 };

/// Ids of one member of a clause; with several tenants a name has several.
struct id_list {
    std::vector<std::int64_t> ids;
    double density = 0;  ///< of all together: entries per position, from here on
};

/// A clause with ids for names; empty members say nothing.
struct clause_lists {
    std::optional<id_list> types;
    std::optional<id_list> categories;
    std::vector<std::string> tags;
    std::string stream_prefix;
};

/// What there is to read for a selector.
struct selector_lists {
    bool known_tenant = true;
    std::vector<clause_lists> clauses;  ///< those that can match
    id_list types, categories, tags;    ///< the sparsest of each clause
    double density = 0;                 ///< of all of them; at least 1: one clause has none
};

struct log_range {
    position low = 1;
    position high = 0;
    bool forward = true;
};

/// Without a selector: the tenant's categories, unless they are too many.
[[nodiscard]] result<selector_lists> find_lists(connection&, const log_filter&, const log_range&);

}  // namespace flexcore::store::postgres

// A scan of a read model as SQL.
#pragma once

#include "store/row_query_impl.hpp"
#include "store/sqlite/view_catalogue.hpp"

#include <string>
#include <vector>

namespace flexcore::store::sqlite {

/// Columns of its rows: key, row, position, then the order fields' values. Parameters: in the
/// order of `values`; the first is the tenant, the last the number of rows.
struct scan_sql {
    std::string text;
    std::vector<scalar> values;
};

/// `query` is checked; `after` is where the page before ended. Asks for one row more than the
/// page holds, which tells whether there is more.
[[nodiscard]] scan_sql make_scan(const model_table&, std::string_view tenant, const scan_query&,
                                 const scan_place* after);

}  // namespace flexcore::store::sqlite

// explain: from what a walk of valijson leaves behind to a few violations a person understands.
// Private to schema.
#pragma once

#include "schema/schema.hpp"

#include <cstddef>
#include <string_view>
#include <vector>

namespace valijson {
class ValidationResults;
}

namespace flexcore::schema_detail {

/// Begins the text of every finding of a leaf; no text of valijson's begins so.
inline constexpr char finding_mark = '!';

/// valijson reports each failure again on every level above it. Kept are the findings of leaves
/// and the few things only valijson knows; a failed anyOf or oneOf becomes the findings of the
/// alternative that fits best, or one text naming what each alternative asks for.
[[nodiscard]] std::vector<violation> explain(const valijson::ValidationResults&,
                                             std::size_t violations_max);

}  // namespace flexcore::schema_detail

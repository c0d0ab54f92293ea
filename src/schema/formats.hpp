// The values of `format` that are checked. Private to schema.
#pragma once

#include <string_view>

namespace flexcore::schema_detail {

struct format {
    std::string_view name;
    std::string_view must_be;  ///< "a date such as 2026-11-22"
    bool (*matches)(std::string_view);
};

/// Null for an unknown format: such a one checks nothing, as draft 7 says.
[[nodiscard]] const format* find_format(std::string_view name) noexcept;

}  // namespace flexcore::schema_detail

// scan_json: the scan language of flexcore.views/1 (its shape stands at fxc_views.scan).
//
// Errors:  base_errc::invalid_argument and invalid_json, naming the member.
// Threads: a function without state.
#pragma once

#include "base/result.hpp"
#include "store/view_store.hpp"

#include <string_view>

namespace flexcore::plugin {

inline constexpr std::size_t scan_limit_max = 1'000;

/// Empty text means {}. Unknown members and operators are refused.
[[nodiscard]] result<store::scan_query> parse_scan(std::string_view json);

}  // namespace flexcore::plugin

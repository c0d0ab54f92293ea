// where[field][op]= and order= of the read-model lists, read into a scan.
#pragma once

#include "base/result.hpp"
#include "gateway/request.hpp"
#include "store/view_store.hpp"

#include <string>
#include <vector>

namespace flexcore::gateway {

/// A value that reads as a JSON number, true, false or null may also be meant as that text: the
/// query string does not say. `ambiguous[i]` tells it of `scan.where[i]`, which holds the JSON
/// value; `texts[i]` is the text. A quoted value ("17") is a string and never ambiguous.
struct scan_args {
    store::scan_query scan;
    std::vector<bool> ambiguous;
    std::vector<std::string> texts;
};

/// Takes where…, order, limit and after; min_position and wait_ms are left to others.
/// Errors: gateway_errc::bad_request naming the parameter.
[[nodiscard]] result<scan_args> read_scan_args(const resolved_target&);

}  // namespace flexcore::gateway

// A query's parameters, from a query string to the JSON object its schema describes.
#pragma once

#include "bus/query_bus.hpp"
#include "gateway/request.hpp"

#include <string>

namespace flexcore::gateway {

/// Each argument becomes a member, converted by the type the schema declares for it; lists may be
/// repeated arguments or one with commas. min_position and wait_ms are not among them.
/// Errors: gateway_errc::bad_request (unknown name, given twice), validation_failed (not
/// convertible).
[[nodiscard]] result<std::string> query_params_json(const bus::query_descriptor&,
                                                    const resolved_target&);

}  // namespace flexcore::gateway

// The API's description, made from the route table.
#pragma once

#include "gateway/router.hpp"

#include <string>
#include <string_view>

namespace flexcore::gateway {

/// OpenAPI 3.1: every route with its parameters, bodies, answers and their schemas. `x-line-schema`
/// beside a schema is that of each line of NDJSON, for which OpenAPI 3.1 has no word.
[[nodiscard]] std::string openapi_document(const router&, std::string_view version);

/// The components' schemas as one JSON object.
[[nodiscard]] std::string_view openapi_schemas() noexcept;

}  // namespace flexcore::gateway

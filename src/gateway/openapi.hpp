// The API's description, made from the route table.
#pragma once

#include "gateway/router.hpp"

#include <string>
#include <string_view>

namespace flexcore::gateway {

/// OpenAPI 3.1: every route with its parameters, bodies, answers and their schemas.
[[nodiscard]] std::string openapi_document(const router&, std::string_view version);
/// A plain HTML page with the same.
[[nodiscard]] std::string docs_page(const router&, std::string_view version);

/// The components' schemas as one JSON object.
[[nodiscard]] std::string_view openapi_schemas() noexcept;

}  // namespace flexcore::gateway

// How answers that stand in the query cache go out: with their ETag, or as 304.
#pragma once

#include "bus/query_bus.hpp"
#include "gateway/request.hpp"
#include "gateway/response.hpp"

#include <memory>

namespace flexcore::gateway {

/// The bytes are shared with the cache, not copied. With `Age` when the store is away and the
/// answer may be older than the read models are.
[[nodiscard]] response answer_with_etag(const request&, std::shared_ptr<const bus::query_answer>);

}  // namespace flexcore::gateway

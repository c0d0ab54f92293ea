// What the answers to writes have in common: idempotency scope, replay and position fields.
#pragma once

#include "gateway/request.hpp"
#include "gateway/response.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace flexcore::gateway {

/// Key and scope as one text: route and principal (the tenant is the store's own scope).
[[nodiscard]] std::string scoped_key(const request&);
void set_position(response&, std::uint64_t position);
void set_replayed(response&);
/// The "position" member of an answer rendered before, 0 when it has none.
[[nodiscard]] std::uint64_t position_in(std::string_view body);

}  // namespace flexcore::gateway

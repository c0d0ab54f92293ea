// What the domain can answer beyond the errors of bus and store.
#pragma once

#include "base/result.hpp"

namespace flexcore::domain {

enum class domain_errc {
    unknown_projection = 1,
    wrong_state,       ///< resume what is not paused, rebuild what is rebuilding, …
    behavior_failed,   ///< decide, evolve or apply failed or broke its contract
    log_incompatible,  ///< a stream holds what its aggregate cannot fold
};
std::error_code make_error_code(domain_errc) noexcept;

}  // namespace flexcore::domain

template <>
struct std::is_error_code_enum<flexcore::domain::domain_errc> : std::true_type {};

// The outcomes of a request as the metrics name them, and counters by outcome.
#pragma once

#include "base/result.hpp"
#include "telemetry/metrics.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace flexcore::bus {

enum class outcome : std::uint8_t {
    ok,
    cached,
    replayed,
    rejected,
    invalid,
    denied,
    not_found,
    conflict,
    behind,
    busy,
    deadline,
    failed
};
inline constexpr std::size_t outcomes = 12;

[[nodiscard]] outcome outcome_of(const error&) noexcept;

/// One counter per outcome, made once.
class outcome_counters {
public:
    outcome_counters(telemetry::metrics&, std::string_view name, std::string_view help,
                     const telemetry::labels&);
    telemetry::counter& operator[](outcome o) const noexcept {
        return *counters_[static_cast<std::size_t>(o)];
    }

private:
    std::array<telemetry::counter*, outcomes> counters_{};
};

}  // namespace flexcore::bus

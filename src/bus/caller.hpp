// caller: on whose behalf something happens; and the port that says whether it may.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace flexcore::bus {

struct caller {
    std::string tenant = "default";
    std::string principal;    ///< empty: nobody has authenticated
    std::string traceparent;  ///< W3C trace context, empty when there is none
    std::string tracestate;   ///< what stands beside it, empty without a traceparent
    std::string request_id;
};

/// Implemented by `security`; the composition root gives `allow_all` until there is one.
/// Threads: any, concurrently; must be quick.
class authorizer {
public:
    virtual ~authorizer() = default;
    /// `action`: "command", "query", "append", "read", "admin"; `resource`: its name.
    /// Errors: bus_errc::unauthorized, forbidden.
    [[nodiscard]] virtual result<void> may(const caller&, std::string_view action,
                                           std::string_view resource) const = 0;
};

class allow_all final : public authorizer {
public:
    [[nodiscard]] result<void> may(const caller&, std::string_view,
                                   std::string_view) const override {
        return {};
    }
};

}  // namespace flexcore::bus

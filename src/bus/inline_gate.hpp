// inline_gate: the port through which a writer waits until inline projections have applied its
// events. Implemented by domain::projection_runner.
#pragma once

#include "base/clock.hpp"
#include "store/event.hpp"

#include <functional>

namespace flexcore::bus {

class inline_gate {
public:
    virtual ~inline_gate() = default;
    /// [any thread] True at once when no running inline projection stands below `pos`.
    [[nodiscard]] virtual bool applied(store::position pos) const noexcept = 0;
    /// [any thread] Runs `done` once: when applied, or at the deadline (the write stands anyway).
    virtual void when_applied(store::position pos, deadline until,
                              std::move_only_function<void()> done) = 0;
};

}  // namespace flexcore::bus

// What a follower of the log makes of it: a row per stream, in one transaction with its checkpoint.
//
// Threads: the log writer's, so that the order of what is written does not depend on threads; the
//          test's own to catch up, while nothing is appended.
#pragma once

#include "store/view_store.hpp"
#include "unit/store/power_loss_shown.hpp"

#include <span>

namespace power_loss_test {

class follower {
public:
    explicit follower(view_store& views) : views_{views} {}

    /// Fails only when the power has.
    result<void> begin() {
        auto all = views_.generations();
        if (!all) return fail(all.error());
        if (all->empty()) {
            auto made = views_.create("p", 1, {{"m", {"n"}}});
            if (!made) return fail(made.error());
            generation_ = *made;
        } else {
            generation_ = all->front();
        }
        return {};
    }
    result<void> take(std::span<const recorded_event> events) {
        if (events.empty()) return {};
        auto change = views_.begin(generation_.id, generation_.checkpoint);
        if (!change) return fail(change.error());
        for (const auto& event : events) {
            const auto key = row_key(event.tenant, event.stream);
            const auto text = row_text(event.ver, event.id);
            if (auto ok = (*change)->put(tenant, "m", key, text, event.pos); !ok) return ok;
        }
        if (auto ok = (*change)->commit(events.back().pos); !ok) return ok;
        generation_.checkpoint = events.back().pos;
        return {};
    }
    [[nodiscard]] position checkpoint() const { return generation_.checkpoint; }

private:
    view_store& views_;
    generation generation_;
};

}  // namespace power_loss_test

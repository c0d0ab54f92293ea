#include "domain/aggregate_kind_impl.hpp"

#include "domain/errc.hpp"

namespace flexcore::domain {

result<std::unique_ptr<aggregate_state>> aggregate_behavior::restore(std::string_view) {
    return fail(domain_errc::behavior_failed, "the aggregate has no snapshots");
}

void aggregate_kind::when_unused(std::move_only_function<void()> drained) {
    {
        const std::lock_guard lock{mutex_};
        if (uses_.load() != 0) {
            drained_ = std::move(drained);
            return;
        }
    }
    drained();
}

// Either this sees the callback, or when_unused, which holds the mutex later, sees no use.
void aggregate_kind::released() {
    if (uses_.fetch_sub(1) != 1 || !draining_.load()) return;
    std::move_only_function<void()> drained;
    {
        const std::lock_guard lock{mutex_};
        if (uses_.load() != 0 || !drained_) return;
        drained = std::exchange(drained_, nullptr);
    }
    drained();
}

}  // namespace flexcore::domain

#include "domain/projection_waiters_impl.hpp"

#include <utility>
#include <vector>

namespace flexcore::domain {

void position_waiters::add(enough reached, deadline until, callback done) {
    std::optional<bool> now;
    {
        const std::lock_guard lock{mutex_};
        // Under the lock: a move that comes later finds the waiter.
        if (reached()) {
            now = true;
        } else if (stopped_) {
            now = false;
        } else {
            const auto id = ++last_id_;
            auto& made = waiting_[id];
            made.reached = std::move(reached);
            made.done = std::move(done);
            if (until != no_deadline) made.timer = timers_.at(until, [this, id] { expire(id); });
        }
    }
    if (now) done(*now);
}

void position_waiters::moved() {
    std::vector<callback> ready;
    {
        const std::lock_guard lock{mutex_};
        for (auto at = waiting_.begin(); at != waiting_.end();) {
            if (!at->second.reached()) {
                ++at;
                continue;
            }
            timers_.cancel(at->second.timer);
            ready.push_back(std::move(at->second.done));
            at = waiting_.erase(at);
        }
    }
    for (auto& done : ready) done(true);
}

void position_waiters::expire(std::uint64_t id) {
    callback done;
    {
        const std::lock_guard lock{mutex_};
        const auto found = waiting_.find(id);
        if (found == waiting_.end()) return;
        done = std::move(found->second.done);
        waiting_.erase(found);
    }
    done(false);
}

void position_waiters::stop() {
    timers_.stop();
    std::map<std::uint64_t, waiter> left;
    {
        const std::lock_guard lock{mutex_};
        stopped_ = true;
        left.swap(waiting_);
    }
    for (auto& [id, open] : left) open.done(false);
}

}  // namespace flexcore::domain

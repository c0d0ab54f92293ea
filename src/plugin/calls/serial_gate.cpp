#include "plugin/calls/serial_gate.hpp"

#include <algorithm>
#include <utility>

namespace flexcore::plugin {

bool serial_gate::try_enter() noexcept {
    const std::lock_guard lock{mutex_};
    return !closed_ && !std::exchange(taken_, true);
}

void serial_gate::enter_later(runtime::task inside) {
    {
        const std::lock_guard lock{mutex_};
        if (closed_) return;
        if (taken_) {
            waiting_.emplace_back(std::move(inside));
            return;
        }
        taken_ = true;
    }
    workers_.post(std::move(inside));
}

bool serial_gate::enter_until(deadline until) {
    std::unique_lock lock{mutex_};
    if (closed_) return false;
    if (!std::exchange(taken_, true)) return true;
    waiter self;
    waiting_.emplace_back(&self);
    while (!self.granted) {
        if (closed_) return false;
        if (until == no_deadline) {
            self.turn.wait(lock);
        } else if (self.turn.wait_until(lock, until) == std::cv_status::timeout && !self.granted) {
            std::erase_if(waiting_, [&](const auto& each) {
                const auto* const other = std::get_if<waiter*>(&each);
                return other != nullptr && *other == &self;
            });
            return false;
        }
    }
    return true;
}

void serial_gate::leave() {
    std::unique_lock lock{mutex_};
    if (waiting_.empty()) {
        taken_ = false;
        return;
    }
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    if (auto* const waits = std::get_if<waiter*>(&next)) {
        (*waits)->granted = true;
        (*waits)->turn.notify_one();  // under the lock: the waiter goes away once it sees `granted`
        return;
    }
    lock.unlock();
    workers_.post(std::move(std::get<runtime::task>(next)));
}

void serial_gate::close() {
    decltype(waiting_) dropped;  // destroyed outside the lock
    const std::lock_guard lock{mutex_};
    closed_ = true;
    dropped.swap(waiting_);
    for (auto& each : dropped)
        if (auto* const waits = std::get_if<waiter*>(&each)) (*waits)->turn.notify_one();
}

}  // namespace flexcore::plugin

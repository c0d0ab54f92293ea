#include "plugin/calls/serial_gate.hpp"

#include <utility>

namespace flexcore::plugin {

bool serial_gate::needs_worker(state& of) noexcept {
    return !of.taken && !of.work.empty() && !std::exchange(of.coming, true);
}

void serial_gate::send_worker(const std::shared_ptr<state>& of) {
    of->workers.post([of] { come(*of); });
}

/// On a worker. When somebody is inside again, who leaves sends the next.
void serial_gate::come(state& of) {
    runtime::task inside;
    {
        const std::lock_guard lock{of.mutex};
        of.coming = false;
        if (of.taken || of.work.empty()) return;
        of.taken = true;
        inside = std::move(of.work.front());
        of.work.pop_front();
    }
    inside();
}

bool serial_gate::try_enter() noexcept {
    const std::lock_guard lock{state_->mutex};
    return !state_->closed && state_->work.empty() && !std::exchange(state_->taken, true);
}

void serial_gate::enter_later(runtime::task inside) {
    {
        const std::lock_guard lock{state_->mutex};
        if (state_->closed) return;
        state_->work.push_back(std::move(inside));
        if (!needs_worker(*state_)) return;
    }
    send_worker(state_);
}

bool serial_gate::enter_until(deadline until) {
    std::unique_lock lock{state_->mutex};
    if (state_->closed) return false;
    if (!std::exchange(state_->taken, true)) return true;
    waiter self;
    state_->waiting.push_back(&self);
    while (!self.granted) {
        if (state_->closed) return false;
        if (until == no_deadline) {
            self.turn.wait(lock);
        } else if (self.turn.wait_until(lock, until) == std::cv_status::timeout && !self.granted) {
            std::erase(state_->waiting, &self);
            return false;
        }
    }
    return true;
}

void serial_gate::leave() {
    {
        const std::lock_guard lock{state_->mutex};
        if (!state_->waiting.empty()) {
            waiter* const next = state_->waiting.front();
            state_->waiting.pop_front();
            next->granted = true;
            next->turn.notify_one();  // under the lock: it goes away once it sees `granted`
            return;
        }
        state_->taken = false;
        if (!needs_worker(*state_)) return;
    }
    send_worker(state_);
}

void serial_gate::close() {
    std::deque<runtime::task> dropped;  // destroyed outside the lock
    const std::lock_guard lock{state_->mutex};
    state_->closed = true;
    dropped.swap(state_->work);
    for (waiter* const each : std::exchange(state_->waiting, {})) each->turn.notify_one();
}

}  // namespace flexcore::plugin

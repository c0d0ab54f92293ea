#include "gateway/timer_wheel.hpp"

#include <algorithm>

namespace flexcore::gateway {

void timer_wheel::entry::unlink() noexcept {
    if (!linked()) return;
    next_->previous_ = previous_;
    previous_->next_ = next_;
    next_ = previous_ = nullptr;
}

void timer_wheel::link(entry& head, entry& what) noexcept {
    what.next_ = &head;
    what.previous_ = head.previous_;
    head.previous_->next_ = &what;
    head.previous_ = &what;
}

timer_wheel::timer_wheel(monotonic::time_point now) : begin_{now}, now_{now} {
    for (ring& head : slots_) head.next_ = head.previous_ = &head;
}

timer_wheel::~timer_wheel() {
    for (ring& head : slots_) {
        while (head.next_ != &head) head.next_->unlink();
        head.next_ = head.previous_ = nullptr;
    }
}

void timer_wheel::set(entry& what, deadline when) noexcept {
    what.when_ = when;
    if (when == no_deadline) {
        what.unlink();
        return;
    }
    if (what.linked() && when >= what.slot_when_) return;
    what.unlink();
    // The slot whose tick ends at or after `when`, at the most one turn away.
    const auto wait = when > begin_ ? when - begin_ : monotonic::duration::zero();
    std::uint64_t due = static_cast<std::uint64_t>(wait / tick) + (wait % tick != tick.zero());
    due = std::clamp(due, passed_ + 1, passed_ + slots - 1);
    what.slot_when_ = begin_ + tick * static_cast<monotonic::rep>(due);
    link(slots_[due % slots], what);
}

void timer_wheel::advance(monotonic::time_point now) {
    now_ = now;
    const auto target =
        static_cast<std::uint64_t>(std::max(now - begin_, monotonic::duration::zero()) / tick);
    // After a long sleep every slot has come round once; one turn looks at them all.
    if (target > passed_ + slots) passed_ = target - slots;
    while (passed_ < target) {
        ++passed_;
        ring& head = slots_[passed_ % slots];
        if (head.next_ == &head) continue;
        // Apart first, so that what is set again inside `expired` is not met in this turn.
        ring due;
        due.next_ = head.next_;
        due.previous_ = head.previous_;
        due.next_->previous_ = due.previous_->next_ = &due;
        head.next_ = head.previous_ = &head;
        while (due.next_ != &due) {
            entry& one = *due.next_;
            one.unlink();
            if (one.when_ == no_deadline) continue;
            if (one.when_ <= now)
                one.expired();
            else
                set(one, one.when_);
        }
        due.next_ = due.previous_ = nullptr;
    }
}

}  // namespace flexcore::gateway

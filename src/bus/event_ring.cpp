#include "bus/event_ring_impl.hpp"

#include <algorithm>

namespace flexcore::bus {

void event_ring::publish(std::shared_ptr<const store::event_batch> batch) {
    if (batch->events.empty()) return;
    std::unordered_map<const void*, wake_function> woken;
    // What falls out of the ring is freed after the lock is gone.
    std::vector<std::shared_ptr<const store::event_batch>> dropped;
    {
        const std::lock_guard lock{mutex_};
        const store::position last = batch->events.back().pos;
        events_ += batch->events.size();
        bytes_ += batch->bytes;
        batches_.push_back(std::move(batch));
        // The newest batch always stays: it is bounded by the log's own limits per commit.
        while (batches_.size() > 1 && (events_ > events_max_ || bytes_ > bytes_max_)) {
            const auto& oldest = *batches_.front();
            events_ -= oldest.events.size();
            bytes_ -= oldest.bytes;
            dropped.push_back(std::move(batches_.front()));
            batches_.pop_front();
        }
        floor_.store(batches_.front()->events.front().pos - 1, std::memory_order_release);
        head_.store(last, std::memory_order_release);
        woken.swap(waiting_);
    }
    for (auto& [who, wake] : woken) wake();
}

void event_ring::pass_over(store::position to) {
    std::unordered_map<const void*, wake_function> woken;
    std::deque<std::shared_ptr<const store::event_batch>> dropped;
    {
        const std::lock_guard lock{mutex_};
        dropped.swap(batches_);
        events_ = 0;
        bytes_ = 0;
        floor_.store(to, std::memory_order_release);
        head_.store(to, std::memory_order_release);
        woken.swap(waiting_);
    }
    for (auto& [who, wake] : woken) wake();
}

void event_ring::begin_at(store::position head) {
    const std::lock_guard lock{mutex_};
    if (!batches_.empty() || head <= head_.load(std::memory_order_relaxed)) return;
    floor_.store(head, std::memory_order_release);
    head_.store(head, std::memory_order_release);
}

std::vector<std::shared_ptr<const store::event_batch>> event_ring::batches_after(
    store::position after, std::size_t events) const {
    std::vector<std::shared_ptr<const store::event_batch>> found;
    const std::lock_guard lock{mutex_};
    if (batches_.empty() || after < floor_.load(std::memory_order_relaxed)) return found;
    auto next = std::partition_point(batches_.begin(), batches_.end(), [&](const auto& batch) {
        return batch->events.back().pos <= after;
    });
    for (std::size_t held = 0; next != batches_.end() && held < events; ++next) {
        held += (*next)->events.size();
        found.push_back(*next);
    }
    return found;
}

void event_ring::wait(const void* who, store::position after, wake_function wake) {
    wake_function replaced;
    {
        const std::lock_guard lock{mutex_};
        if (head_.load(std::memory_order_relaxed) <= after) {
            auto& place = waiting_[who];
            replaced = std::exchange(place, std::move(wake));
            return;
        }
        if (const auto earlier = waiting_.find(who); earlier != waiting_.end()) {
            replaced = std::move(earlier->second);
            waiting_.erase(earlier);
        }
    }
    wake();
}

void event_ring::cancel_wait(const void* who) {
    wake_function cancelled;
    const std::lock_guard lock{mutex_};
    if (const auto found = waiting_.find(who); found != waiting_.end()) {
        cancelled = std::move(found->second);
        waiting_.erase(found);
    }
}

}  // namespace flexcore::bus

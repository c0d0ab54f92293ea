// event_ring: the bounded memory of recent batches behind event_bus, and who waits for more.
//
// Threads: `publish` on the log writer's thread; everything else on any thread. One mutex guards
//          the ring and the waiting; it is never held while a wake function or a filter runs.
#pragma once

#include "bus/event_bus.hpp"

#include <atomic>
#include <deque>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace flexcore::bus {

class event_ring {
public:
    using wake_function = std::move_only_function<void()>;

    event_ring(const event_bus_settings& settings, store::position head)
        : events_max_{settings.ring_events_max},
          bytes_max_{settings.ring_bytes_max},
          head_{head},
          floor_{head} {}

    void publish(std::shared_ptr<const store::event_batch>);
    /// The log has gone on to `to` without telling of each event: nothing before is kept.
    void pass_over(store::position to);
    /// The log has come to `head` by now; what was not published is read from there. Of no effect
    /// once something was published.
    void begin_at(store::position head);

    /// The last published position.
    [[nodiscard]] store::position head() const noexcept {
        return head_.load(std::memory_order_acquire);
    }
    /// Everything published after this position is in the ring.
    [[nodiscard]] store::position floor() const noexcept {
        return floor_.load(std::memory_order_acquire);
    }
    /// The batches that hold what comes after `after`, oldest first, about `events` events of
    /// them. Nothing when the ring has moved on beyond `after`: read the log.
    [[nodiscard]] std::vector<std::shared_ptr<const store::event_batch>> batches_after(
        store::position after, std::size_t events) const;

    /// Runs `wake` once when the head lies beyond `after`. `who` names the waiter; its earlier
    /// wait is replaced.
    void wait(const void* who, store::position after, wake_function wake);
    void cancel_wait(const void* who);

private:
    const std::size_t events_max_;
    const std::size_t bytes_max_;
    std::atomic<store::position> head_;
    std::atomic<store::position> floor_;
    mutable std::mutex mutex_;
    std::deque<std::shared_ptr<const store::event_batch>> batches_;  // none is empty
    std::size_t events_ = 0;
    std::size_t bytes_ = 0;
    std::unordered_map<const void*, wake_function> waiting_;
};

}  // namespace flexcore::bus

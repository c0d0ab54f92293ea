// event_bus: committed events, in order, to whoever follows the log.
//
// Shape:    one bounded ring of recent batches for all subscribers. A subscriber has a position; it
//           takes what comes after it from the ring, or from the log when the ring has moved on.
//           So a slow subscriber costs nothing and never slows the writer.
// Promises: at least once, in order, nothing skipped; catching up and live meet by position.
// Threads:  published on the log writer's thread. `wait` and `take` on any thread; one subscriber
//           is used by one thread at a time. Wake functions run on the writer's thread and must
//           only post.
#pragma once

#include "base/result.hpp"
#include "store/event_log.hpp"
#include "telemetry/metrics.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

namespace flexcore::bus {

struct event_bus_settings {
    std::size_t ring_events_max = 16'384;
    std::size_t ring_bytes_max = 16u << 20;
    std::size_t subscribers_max = 20'000;
};

class subscriber;

class event_bus {
public:
    /// Installs itself as the log's commit listener. Others listen through `on_commit`.
    event_bus(event_bus_settings, store::event_log&, telemetry::metrics&);
    ~event_bus();

    /// In-process listeners that must see a commit before its writer is answered (cached
    /// aggregates). Add before the first append; run on the writer's thread; quick, no throw.
    void on_commit(store::commit_listener);

    /// The last published position. Equal to the log's head between commits.
    [[nodiscard]] store::position head() const noexcept;

    /// A follower that has seen everything up to `after`. bus_errc::busy beyond subscribers_max.
    [[nodiscard]] result<std::unique_ptr<subscriber>> subscribe(store::log_filter,
                                                                store::position after);

private:
    friend class subscriber;
    struct state;
    std::shared_ptr<state> state_;
};

class subscriber {
public:
    ~subscriber();
    struct taken {
        std::shared_ptr<const store::event_batch> batch;  ///< only matching events, maybe none
        store::position seen_to = 0;  ///< everything up to here has been looked at
        bool at_head = false;         ///< nothing more right now: `wait`
    };
    /// From memory or, when that has moved on, from the log: may block, so it belongs on the worker
    /// pool.
    [[nodiscard]] result<taken> take(std::size_t limit);
    /// The same from memory only: quick, also on an io thread. Nothing when the log must be read.
    /// Ends with the event that brings it to 256 KiB of text.
    [[nodiscard]] std::optional<taken> take_live(std::size_t limit);
    /// Calls `wake` once when something lies beyond the position (at once, inside the call, when it
    /// does already). A second wait replaces the first.
    void wait(std::move_only_function<void()> wake);
    /// A wake that has begun on the writer's thread may still finish after this (and after the
    /// subscriber is gone): it must own what it touches.
    void cancel_wait();
    [[nodiscard]] store::position seen() const noexcept;

private:
    friend class event_bus;
    struct state;
    explicit subscriber(std::unique_ptr<state>);
    std::unique_ptr<state> state_;
};

}  // namespace flexcore::bus

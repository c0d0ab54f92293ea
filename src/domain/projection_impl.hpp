// One projection inside the runner: the generations it fills, and what others may ask of it.
//
// Threads: `follower`s and what is marked so belong to the projector's thread; `wishes` and `shown`
//          to the mutex; the atomics to everybody.
#pragma once

#include "domain/projection_behavior.hpp"
#include "domain/projection_runner.hpp"
#include "telemetry/log_pace.hpp"

#include <atomic>
#include <condition_variable>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace flexcore::domain {

inline constexpr store::position beyond_all = std::numeric_limits<store::position>::max();

/// Wakes the projector. Owned by everything that may ring it.
class bell {
public:
    void ring() {
        const std::lock_guard lock{mutex_};
        rung_ = true;
        wake_.notify_one();
    }
    void clear() {
        const std::lock_guard lock{mutex_};
        rung_ = false;
    }
    void wait(deadline until) {
        std::unique_lock lock{mutex_};
        if (until == no_deadline) {
            wake_.wait(lock, [&] { return rung_; });
        } else {
            wake_.wait_until(lock, until, [&] { return rung_; });
        }
    }

private:
    std::mutex mutex_;
    std::condition_variable wake_;
    bool rung_ = false;
};

/// One generation being filled from the log.
struct follower {
    store::generation_id id = 0;
    store::position saved = 0;       ///< the checkpoint in the store
    store::position seen = 0;        ///< every matching event up to here is applied
    deadline save_at = no_deadline;  ///< when `seen` is to be saved though nothing was applied
    std::unique_ptr<bus::subscriber> events;
    std::shared_ptr<const store::event_batch> batch;  ///< taken and not yet applied from `next` on
    std::size_t next = 0;
    store::position batch_to = 0;  ///< seen when the batch is applied
    bool at_head = false;          ///< at the last look

    std::size_t try_events =
        0;  ///< the next try's size while a failing event is looked for; 0: all
    std::string stopped_because;
    store::position poison = 0;
    monotonic::duration delay{};
    deadline retry_at{};

    [[nodiscard]] bool stopped() const noexcept { return !stopped_because.empty(); }
    [[nodiscard]] std::size_t left() const noexcept {
        return batch ? batch->events.size() - next : 0;
    }
};

struct projection {
    projection(projection_spec s, std::shared_ptr<projection_behavior> b)
        : spec{std::move(s)}, behavior{std::move(b)} {}

    /// A store that was away is asked again soon: nobody is to blame for it, and what is served is
    /// old for as long as this waits.
    static constexpr monotonic::duration store_retry_max = std::chrono::seconds{2};

    const projection_spec spec;
    const std::shared_ptr<projection_behavior> behavior;

    // The projector's:
    bool open = false;
    deadline open_at{};  ///< not before
    std::string open_error;
    follower serving;
    bool ahead_of_log = false;  ///< the serving checkpoint is of a log that is gone
    bool frozen = false;        ///< serving rows are of another version: they only answer
    std::optional<follower> building;
    deadline rebuild_at = no_deadline;  ///< when a rebuild that could not begin is tried again
    monotonic::duration rebuild_delay{};
    bool paused = false;
    telemetry::log_pace moved_elsewhere;
    bool near_head = false;  ///< has been at the head, or began close to it

    // Everybody's:
    std::atomic<store::position> reached{0};
    std::atomic<store::position> gate{beyond_all};  ///< where the inline gate sees it
    std::shared_ptr<std::atomic<store::position>> lag_from =
        std::make_shared<std::atomic<store::position>>(0);
    telemetry::counter* applied = nullptr;
    telemetry::counter* failures = nullptr;

    // The mutex's:
    mutable std::mutex mutex;
    mutable std::condition_variable opened;
    bool tried_open = false;
    projection_status shown;
    bool being_built = false;  ///< also when the rebuild has stopped at an event
    store::position building_poison = 0;
    std::optional<bool> pause_wish;
    bool retry_wish = false;
    bool rebuild_wish = false;
    std::optional<store::position> skip_wish;
    std::optional<std::move_only_function<void()>> removal;

    /// Under the mutex, with a wish that is not taken up yet: whoever asks next sees it.
    void shows_to_go_on() {
        if (shown.state == projection_state::stopped) {
            shown.state =
                being_built ? projection_state::rebuilding : projection_state::catching_up;
        }
        shown.error.clear();
    }
};

}  // namespace flexcore::domain

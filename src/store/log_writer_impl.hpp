// log_writer: the one thread that writes to a log. Group commit without a timer: while one commit
// runs the next batch gathers.
//
// Threads:  `append` on any thread. Everything of the backend is called on the writer's thread
//           only, but `write_batch`es never overlap with anything else of it.
// Order:    for each committed batch: head() moves, the listener runs, then the callbacks.
// Fencing:  a write that fails with anything but `full` fences, and so does housekeeping that
//           leaves the disk in doubt: everything is answered `unavailable` until the backend has
//           recovered; attempts are spaced by a growing pause. Once one has failed, and while the
//           backend hangs, requests are refused when they come: none waits for the next attempt.
// Lifetime: the backend, metrics and listener outlive `stop()`.
#pragma once

#include "store/event_log.hpp"
#include "store/open.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

namespace flexcore::store {

struct queued_append {
    append_request request;
    append_done done;
    std::size_t events = 0;
    std::size_t bytes = 0;
    result<append_outcome> answer;
};

struct write_batch {
    std::span<queued_append> entries;       ///< `answer` is set by the backend
    unix_us now = 0;                        ///< recorded_at of all its events
    position head = 0;                      ///< before the batch; after `write`, of its last event
    std::shared_ptr<event_batch> events;    ///< what was written
    std::vector<committed_append> appends;  ///< who wrote it; refused ones are missing
    std::vector<changed_stream> changed;    ///< their names are the entries'
    bool any_may_have_changed = false;
};

/// What another server has written into the same log, found while writing or looking.
struct foreign_commits {
    std::vector<std::shared_ptr<const event_batch>> batches;  ///< positions ascending
    position passed_over_to = 0;        ///< before them; 0: nothing was passed over
    unix_us recorded_at = 0;            ///< of the last event passed over
    bool any_may_have_changed = false;  ///< streams' settings or deletions
};

class log_backend {
public:
    virtual ~log_backend() = default;

    /// Decides all entries and writes what is accepted, in one transaction, committed when this
    /// returns. An error means: nothing of it may be acknowledged.
    [[nodiscard]] virtual result<void> write(write_batch&) = 0;

    /// Whether a change of a stream's rules has a batch of its own: `write` finds conditions by the
    /// rules as they are stored.
    [[nodiscard]] virtual bool changes_stand_alone() const noexcept { return false; }

    struct recovered {
        position head = 0;
        unix_us last_recorded_at = 0;
        /// Events above the head the writer knew: a commit that failed and yet is there.
        std::shared_ptr<const event_batch> surprising;
    };
    /// After a failed write: reopens and proves that what is stored is durable and readable. What
    /// is not in `surprising` up to the head is to be had by `take_foreign`.
    [[nodiscard]] virtual result<recovered> recover(position known_head) = 0;

    /// What `write`, `tidy` or `recover` has found since the last call; it stands before what
    /// `write` wrote.
    [[nodiscard]] virtual foreign_commits take_foreign() { return {}; }
    /// Between batches: work that may wait, a bounded piece of it. `idle`: nobody waits.
    /// Returns when it wants to be called again (no_deadline: not before the next batch). An error
    /// means that the disk is in doubt, as after a failed write.
    [[nodiscard]] virtual result<deadline> tidy(bool idle) = 0;
    /// [any thread] What is under way waits for somebody who does not answer.
    [[nodiscard]] virtual bool hangs() const noexcept { return false; }
    /// The writer ends. No other call follows.
    virtual void close() = 0;
};

struct writer_limits {
    std::size_t queue_events_max = 100'000;
    std::size_t queue_bytes_max = 64u << 20;
    std::size_t batch_events_max = 10'000;
    std::size_t batch_bytes_max = 8u << 20;
};

enum class writer_condition : std::uint8_t { well, full, fenced };

class log_writer {
public:
    using clock = std::function<unix_us()>;

    /// `head` and `last_recorded_at`: where the log stands. The thread starts here.
    log_writer(log_backend&, const writer_limits&, telemetry::metrics&, position head,
               unix_us last_recorded_at, clock = now_unix_us);
    ~log_writer();
    log_writer(const log_writer&) = delete;
    log_writer& operator=(const log_writer&) = delete;

    void append(append_request, append_done);
    void append_all(std::vector<event_log::queued>);
    void on_commit(commit_listener);
    [[nodiscard]] position head() const noexcept { return head_.load(std::memory_order_acquire); }
    [[nodiscard]] writer_condition condition() const noexcept { return condition_.load(); }
    /// Answers what is queued, closes the backend, joins. Idempotent; not from a callback.
    void stop();

private:
    struct series;

    [[nodiscard]] bool admit(queued_append&) const;
    void enqueue(std::span<queued_append>);
    void run();
    void write_slice(std::span<queued_append>);
    /// Whom to tell; null for nobody.
    [[nodiscard]] std::shared_ptr<const commit_listener> listener();
    void publish(write_batch&);
    void publish_foreign();
    [[nodiscard]] bool try_recover();
    void enter(writer_condition);
    void tidy(bool idle);
    [[nodiscard]] std::size_t slice_end(const std::vector<queued_append>&, std::size_t from) const;
    void count(const result<append_outcome>&);

    log_backend& backend_;
    const writer_limits limits_;
    const clock clock_;
    const std::unique_ptr<series> series_;
    std::atomic<position> head_;
    std::atomic<writer_condition> condition_{writer_condition::well};
    std::atomic<bool> recovery_failed_{false};  ///< and none has succeeded since

    // The writer's thread only.
    unix_us last_recorded_at_;
    deadline recover_at_ = no_deadline;
    monotonic::duration recover_pause_{};
    deadline tidy_at_{};  ///< once at the start: what the last run left

    std::mutex mutex_;
    std::condition_variable wake_;
    std::shared_ptr<const commit_listener> listener_;
    std::vector<queued_append> queue_;
    std::size_t queued_events_ = 0;  ///< also those taken from queue_ but not yet written
    std::size_t queued_bytes_ = 0;
    bool waiting_ = false;
    bool stopping_ = false;

    std::mutex join_mutex_;
    std::thread thread_;
};

}  // namespace flexcore::store

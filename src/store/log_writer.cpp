#include "store/log_writer_impl.hpp"

#include "base/check.hpp"
#include "base/scheduling.hpp"
#include "store/append_request_impl.hpp"
#include "telemetry/log.hpp"

#include <pthread.h>

#include <algorithm>

namespace flexcore::store {
namespace {

using std::chrono::milliseconds;

constexpr auto recover_pause_min = milliseconds{50};
constexpr auto recover_pause_max = milliseconds{5000};

error cannot_write() { return {store_errc::unavailable, "the store cannot write at the moment"}; }

const std::vector<double>& batch_bounds() {
    static const std::vector<double> bounds{1,   2,   5,    10,   20,   50,    100,
                                            200, 500, 1000, 2000, 5000, 10'000};
    return bounds;
}

}  // namespace

struct log_writer::series {
    explicit series(telemetry::metrics& metrics)
        : written{appends(metrics, "written")},
          repeated{appends(metrics, "repeated")},
          conflict{appends(metrics, "conflict")},
          busy{appends(metrics, "busy")},
          failed{appends(metrics, "failed")},
          events{metrics.counter_for("flexcore_store_events_total", "Events written to the log.")},
          commit_seconds{metrics.histogram_for("flexcore_store_commit_seconds",
                                               "Time to decide, write and commit one batch.",
                                               telemetry::latency_bounds())},
          batch_events{metrics.histogram_for("flexcore_store_batch_events",
                                             "Events written by one commit.", batch_bounds())},
          queued{metrics.gauge_for("flexcore_store_queue_appends",
                                   "Appends waiting for the log writer.")},
          fenced{metrics.gauge_for("flexcore_store_fenced",
                                   "1 while the log writer acknowledges nothing.")},
          head{metrics.gauge_for("flexcore_store_head", "The last durable position.")} {}

    static telemetry::counter& appends(telemetry::metrics& metrics, const char* outcome) {
        return metrics.counter_for("flexcore_store_appends_total",
                                   "Append requests answered, by outcome.", {{"result", outcome}});
    }

    telemetry::counter& written;
    telemetry::counter& repeated;
    telemetry::counter& conflict;
    telemetry::counter& busy;
    telemetry::counter& failed;
    telemetry::counter& events;
    telemetry::histogram& commit_seconds;
    telemetry::histogram& batch_events;
    telemetry::gauge& queued;
    telemetry::gauge& fenced;
    telemetry::gauge& head;
};

log_writer::log_writer(log_backend& backend, const writer_limits& limits,
                       telemetry::metrics& metrics, position head, unix_us last_recorded_at,
                       clock now)
    : backend_{backend},
      limits_{limits},
      clock_{std::move(now)},
      series_{std::make_unique<series>(metrics)},
      head_{head},
      last_recorded_at_{last_recorded_at} {
    series_->head.set(static_cast<double>(head));
    series_->fenced.set(0);
    thread_ = std::thread{[this] {
        run_in_background();
        run();
    }};
    pthread_setname_np(thread_.native_handle(), "fc-log-writer");
}

log_writer::~log_writer() { stop(); }

void log_writer::append(append_request request, append_done done) {
    queued_append entry{std::move(request), std::move(done), 0, 0, append_outcome{}};
    if (admit(entry)) enqueue({&entry, 1});
}

void log_writer::append_all(std::vector<event_log::queued> requests) {
    std::vector<queued_append> admitted;
    admitted.reserve(requests.size());
    for (auto& [request, done] : requests) {
        auto& entry =
            admitted.emplace_back(std::move(request), std::move(done), 0, 0, append_outcome{});
        if (!admit(entry)) admitted.pop_back();
    }
    if (!admitted.empty()) enqueue(admitted);
}

/// Answers at once what can never be written; otherwise measures it.
bool log_writer::admit(queued_append& entry) const {
    auto size = check_request(entry.request);
    if (size &&
        (size->events > limits_.queue_events_max || size->bytes > limits_.queue_bytes_max)) {
        size = fail(store_errc::invalid_request, "the append is larger than the write queue");
    }
    if (!size) {
        entry.done(fail(std::move(size.error())));
        return false;
    }
    // A request without events takes a place in the queue as well.
    entry.events = std::max<std::size_t>(size->events, 1);
    entry.bytes = size->bytes;
    return true;
}

/// All of them or none: what was handed over together is written in order without gaps.
void log_writer::enqueue(std::span<queued_append> entries) {
    std::size_t events = 0;
    std::size_t bytes = 0;
    for (const auto& entry : entries) {
        events += entry.events;
        bytes += entry.bytes;
    }
    error refusal;
    {
        std::lock_guard lock{mutex_};
        if (stopping_) {
            refusal = {store_errc::stopped, "the store is shutting down"};
        } else if (recovery_failed_ || backend_.hangs()) {
            refusal = cannot_write();
        } else if (queued_events_ + events > limits_.queue_events_max ||
                   queued_bytes_ + bytes > limits_.queue_bytes_max) {
            refusal = {store_errc::busy, "too many writes are waiting; try again shortly"};
        } else {
            queued_events_ += events;
            queued_bytes_ += bytes;
            std::move(entries.begin(), entries.end(), std::back_inserter(queue_));
            if (std::exchange(waiting_, false)) wake_.notify_one();
            return;
        }
    }
    const auto count = static_cast<double>(entries.size());
    if (refusal.code == store_errc::busy) series_->busy.add(count);
    if (refusal.code == store_errc::unavailable) series_->failed.add(count);
    for (auto& entry : entries) entry.done(fail(refusal));
}

std::size_t log_writer::slice_end(const std::vector<queued_append>& work, std::size_t from) const {
    std::size_t events = 0;
    std::size_t bytes = 0;
    std::size_t end = from;
    const bool alone = backend_.changes_stand_alone();
    if (alone && work[from].request.change) return from + 1;
    while (end < work.size()) {
        if (alone && work[end].request.change) break;
        events += work[end].events;
        bytes += work[end].bytes;
        // One request is never split, however large it is.
        if (end > from && (events > limits_.batch_events_max || bytes > limits_.batch_bytes_max)) {
            break;
        }
        ++end;
    }
    return end;
}

void log_writer::run() {
    std::vector<queued_append> work;
    std::unique_lock lock{mutex_};
    for (;;) {
        if (!queue_.empty()) {
            work.clear();
            work.swap(queue_);
            for (std::size_t from = 0; from < work.size();) {
                const std::size_t end = slice_end(work, from);
                lock.unlock();
                const std::span slice{work.data() + from, end - from};
                series_->queued.set(static_cast<double>(work.size() - from));
                write_slice(slice);
                lock.lock();
                for (const auto& entry : slice) {
                    queued_events_ -= entry.events;
                    queued_bytes_ -= entry.bytes;
                }
                from = end;
            }
            lock.unlock();
            // Requests may own large bodies: they go before the next batch is taken.
            work.clear();
            if (condition_ != writer_condition::fenced) tidy(false);
            lock.lock();
            continue;
        }
        if (stopping_) break;
        const bool fenced = condition_ == writer_condition::fenced;
        const deadline next = fenced ? recover_at_ : tidy_at_;
        if (next <= monotonic::now()) {
            lock.unlock();
            if (fenced) {
                (void)try_recover();
            } else {
                tidy(true);
            }
            lock.lock();
            continue;
        }
        series_->queued.set(0);
        waiting_ = true;
        if (next == no_deadline) {
            wake_.wait(lock, [this] { return !waiting_; });
        } else {
            wake_.wait_until(lock, next, [this] { return !waiting_; });
        }
        waiting_ = false;
    }
    lock.unlock();
    backend_.close();
}

void log_writer::write_slice(std::span<queued_append> slice) {
    if (condition_ == writer_condition::fenced && !try_recover()) {
        for (auto& entry : slice) {
            series_->failed.add();
            entry.done(fail(cannot_write()));
        }
        return;
    }
    const auto started = monotonic::now();
    write_batch batch;
    batch.entries = slice;
    batch.now = last_recorded_at_ = std::max(clock_(), last_recorded_at_);
    batch.head = head();
    const auto written = backend_.write(batch);
    publish_foreign();
    if (!written) {
        const error& why = written.error();
        telemetry::log(
            telemetry::level::error, "store", "a batch could not be written",
            {{"error", std::string_view{why.client}}, {"detail", std::string_view{why.log}}});
        const bool full = why.code == store_errc::full;
        enter(full ? writer_condition::full : writer_condition::fenced);
        for (auto& entry : slice) {
            series_->failed.add();
            entry.done(fail(why));
        }
        return;
    }
    enter(writer_condition::well);
    series_->commit_seconds.observe(
        std::chrono::duration<double>(monotonic::now() - started).count());
    publish(batch);
    for (auto& entry : slice) {
        count(entry.answer);
        entry.done(std::move(entry.answer));
    }
}

// The thread runs already, and may find what others have written.
void log_writer::on_commit(commit_listener listener) {
    auto made = std::make_shared<const commit_listener>(std::move(listener));
    const std::lock_guard lock{mutex_};
    listener_ = std::move(made);
}

std::shared_ptr<const commit_listener> log_writer::listener() {
    const std::lock_guard lock{mutex_};
    return listener_;
}

void log_writer::publish(write_batch& batch) {
    if (!batch.events) return;
    if (batch.events->events.empty() && batch.changed.empty() && !batch.any_may_have_changed)
        return;
    const auto count = static_cast<double>(batch.events->events.size());
    head_.store(batch.head, std::memory_order_release);
    series_->head.set(static_cast<double>(batch.head));
    if (count != 0) {
        series_->events.add(count);
        series_->batch_events.observe(count);
    }
    if (const auto told = listener()) {
        (*told)(commit{.batch = batch.events,
                       .appends = batch.appends,
                       .changed = batch.changed,
                       .any_may_have_changed = batch.any_may_have_changed});
    }
}

void log_writer::publish_foreign() {
    auto found = backend_.take_foreign();
    const auto tell = [&](const std::shared_ptr<const event_batch>& events, position upto,
                          position passed_over_to) {
        head_.store(upto, std::memory_order_release);
        series_->head.set(static_cast<double>(upto));
        const auto told = listener();
        if (!told) return;
        (*told)(commit{.batch = events,
                       .appends = {},
                       .any_may_have_changed = std::exchange(found.any_may_have_changed, false),
                       .passed_over_to = passed_over_to});
    };
    last_recorded_at_ = std::max(last_recorded_at_, found.recorded_at);
    if (found.passed_over_to != 0)
        tell(std::make_shared<event_batch>(), found.passed_over_to, found.passed_over_to);
    for (const auto& batch : found.batches) {
        last_recorded_at_ = std::max(last_recorded_at_, batch->events.back().recorded_at);
        tell(batch, batch->events.back().pos, 0);
    }
    if (found.any_may_have_changed) tell(std::make_shared<event_batch>(), head(), 0);
}

void log_writer::count(const result<append_outcome>& answer) {
    if (!answer) {
        series_->conflict.add();
    } else if (answer->repeated || answer->stored_answer) {
        series_->repeated.add();
    } else {
        series_->written.add();
    }
}

void log_writer::tidy(bool idle) {
    const auto next = backend_.tidy(idle);
    publish_foreign();
    if (next) {
        tidy_at_ = *next;
        return;
    }
    telemetry::log(telemetry::level::error, "store", "the log's housekeeping failed",
                   {{"error", std::string_view{next.error().client}},
                    {"detail", std::string_view{next.error().log}}});
    enter(writer_condition::fenced);
}

bool log_writer::try_recover() {
    if (monotonic::now() < recover_at_) return false;
    auto back = backend_.recover(head());
    if (!back) {
        recover_pause_ = std::clamp<monotonic::duration>(recover_pause_ * 2, recover_pause_min,
                                                         recover_pause_max);
        recover_at_ = monotonic::now() + recover_pause_;
        recovery_failed_ = true;
        telemetry::log(telemetry::level::warn, "store", "the log writer has not recovered yet",
                       {{"error", std::string_view{back.error().client}},
                        {"detail", std::string_view{back.error().log}}});
        return false;
    }
    publish_foreign();
    FLEXCORE_CHECK(back->head >= head());
    last_recorded_at_ = std::max(last_recorded_at_, back->last_recorded_at);
    recovery_failed_ = false;
    enter(writer_condition::well);
    tidy_at_ = monotonic::now();  // what was due meanwhile
    telemetry::log(telemetry::level::info, "store", "the log writer has recovered",
                   {{"head", back->head}});
    // Nobody was told of what a failed commit has left, but it is in the log: listeners must not
    // skip it.
    write_batch found;
    found.head = back->head;
    found.events = back->head > head() ? std::make_shared<event_batch>(*back->surprising)
                                       : std::make_shared<event_batch>();
    found.any_may_have_changed = true;
    publish(found);
    return true;
}

void log_writer::enter(writer_condition next) {
    if (next == writer_condition::fenced) {
        recover_pause_ = {};
        recover_at_ = monotonic::now();
    }
    if (condition_.exchange(next) == next) return;
    series_->fenced.set(next == writer_condition::fenced ? 1 : 0);
}

void log_writer::stop() {
    {
        std::lock_guard lock{mutex_};
        stopping_ = true;
        waiting_ = false;
    }
    wake_.notify_one();
    std::lock_guard lock{join_mutex_};
    if (!thread_.joinable()) return;
    FLEXCORE_CHECK(thread_.get_id() != std::this_thread::get_id());
    thread_.join();
}

}  // namespace flexcore::store

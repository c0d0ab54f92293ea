// The log writer over a backend that does what the test says.
#include "contract/harness.hpp"
#include "store/log_writer_impl.hpp"

#include <condition_variable>

using namespace contract;

namespace {

class scripted_backend final : public log_backend {
public:
    result<void> write(write_batch& batch) override {
        if (auto* const wait_for = gate.exchange(nullptr)) wait_for->get_future().wait();
        std::lock_guard lock{mutex_};
        ++writes;
        sizes.push_back(batch.entries.size());
        if (next_failure) return fail(*std::exchange(next_failure, {}), "the test says so");
        batch.events = std::make_shared<event_batch>();
        for (auto& entry : batch.entries) {
            recorded_event event;
            event.pos = ++batch.head;
            event.recorded_at = batch.now;
            batch.events->events.push_back(event);
            entry.answer = append_outcome{};
            entry.answer->pos = event.pos;
            entry.answer->recorded_at = batch.now;
        }
        return {};
    }
    result<recovered> recover(position known_head) override {
        if (++recoveries_begun == 2 && recovery_gate != nullptr) recovery_gate->get_future().wait();
        std::lock_guard lock{mutex_};
        ++recoveries;
        if (recoveries_to_fail > 0) {
            --recoveries_to_fail;
            return fail(store_errc::unavailable, "not yet");
        }
        recovered back{.head = known_head + surprise, .last_recorded_at = 0, .surprising = {}};
        auto events = std::make_shared<event_batch>();
        for (; surprise > 0; --surprise) {
            recorded_event event;
            event.pos = ++known_head;
            events->events.push_back(event);
        }
        back.surprising = events;
        return back;
    }
    foreign_commits take_foreign() override {
        std::lock_guard lock{mutex_};
        return std::exchange(foreign, {});
    }
    bool changes_stand_alone() const noexcept override { return alone; }
    result<deadline> tidy(bool idle) override {
        std::lock_guard lock{mutex_};
        if (tidy_failure) return fail(*std::exchange(tidy_failure, {}), "the test says so");
        (idle ? idle_tidies : busy_tidies) += 1;
        changed.notify_all();
        return idle_tidies < idle_tidies_wanted ? monotonic::now() : no_deadline;
    }
    [[nodiscard]] bool hangs() const noexcept override { return hanging; }
    void close() override { closed = true; }

    std::mutex mutex_;
    std::condition_variable changed;
    std::optional<store_errc> next_failure;
    std::optional<store_errc> tidy_failure;
    foreign_commits foreign;
    bool alone = false;
    std::vector<std::size_t> sizes;                  ///< of the batches
    std::atomic<std::promise<void>*> gate{nullptr};  ///< the next write waits for it
    std::promise<void>* recovery_gate = nullptr;     ///< the second recovery does
    std::atomic<int> recoveries_begun{0};
    int recoveries_to_fail = 0;
    position surprise = 0;
    int writes = 0;
    int recoveries = 0;
    int idle_tidies = 0;
    int idle_tidies_wanted = 0;
    int busy_tidies = 0;
    bool closed = false;
    std::atomic<bool> hanging{false};
};

result<append_outcome> write_one(log_writer& writer) {
    std::promise<result<append_outcome>> promise;
    writer.append(build({.appends = {{.stream = "s"}}}),
                  [&](result<append_outcome> answer) { promise.set_value(std::move(answer)); });
    return promise.get_future().get();
}

append_outcome write_in_the_end(log_writer& writer) {
    const auto give_up = monotonic::now() + std::chrono::seconds{30};
    for (;;) {
        auto answer = write_one(writer);
        if (answer) return *answer;
        REQUIRE(monotonic::now() < give_up);
        std::this_thread::yield();
    }
}

}  // namespace

TEST_CASE("log writer: recorded_at never decreases, whatever the clock does", "[store][writer]") {
    scripted_backend backend;
    telemetry::metrics metrics;
    std::atomic<unix_us> clock{1000};
    // The log ends at a time the clock has not reached yet.
    log_writer writer{backend, {}, metrics, 5, 3000, [&] { return clock.load(); }};
    CHECK(value(write_one(writer)).recorded_at == 3000);
    clock = 4000;
    CHECK(value(write_one(writer)).recorded_at == 4000);
    clock = 10;
    CHECK(value(write_one(writer)).recorded_at == 4000);
    clock = 4001;
    CHECK(value(write_one(writer)).recorded_at == 4001);
    CHECK(writer.head() == 9);
}

TEST_CASE("log writer: a failed batch fences until the backend has recovered", "[store][writer]") {
    scripted_backend backend;
    telemetry::metrics metrics;
    log_writer writer{backend, {}, metrics, 0, 0};
    CHECK(write_one(writer));
    backend.next_failure = store_errc::unavailable;
    backend.recoveries_to_fail = 2;
    CHECK(code_of(write_one(writer)) == make_error_code(store_errc::unavailable));
    CHECK(writer.condition() == writer_condition::fenced);
    CHECK(code_of(write_one(writer)) == make_error_code(store_errc::unavailable));
    CHECK(backend.writes == 2);
    CHECK(write_in_the_end(writer).pos == 2);
    CHECK(writer.condition() == writer_condition::well);
    std::lock_guard lock{backend.mutex_};
    CHECK(backend.recoveries == 3);
}

TEST_CASE("log writer: it recovers without being asked", "[store][writer]") {
    scripted_backend backend;
    telemetry::metrics metrics;
    backend.next_failure = store_errc::unavailable;
    backend.recoveries_to_fail = 1;
    log_writer writer{backend, {}, metrics, 0, 0};
    CHECK_FALSE(write_one(writer));
    const auto give_up = monotonic::now() + std::chrono::seconds{30};
    while (writer.condition() != writer_condition::well) {
        REQUIRE(monotonic::now() < give_up);
        std::this_thread::yield();
    }
    CHECK(write_one(writer));
}

TEST_CASE("log writer: a full device does not fence", "[store][writer]") {
    scripted_backend backend;
    telemetry::metrics metrics;
    log_writer writer{backend, {}, metrics, 0, 0};
    backend.next_failure = store_errc::full;
    CHECK(code_of(write_one(writer)) == make_error_code(store_errc::full));
    CHECK(writer.condition() == writer_condition::full);
    CHECK(write_one(writer));
    CHECK(writer.condition() == writer_condition::well);
    CHECK(backend.recoveries == 0);
}

TEST_CASE("log writer: listeners hear of events a failed commit left behind", "[store][writer]") {
    scripted_backend backend;
    telemetry::metrics metrics;
    log_writer writer{backend, {}, metrics, 0, 0};
    std::vector<position> heard;
    writer.on_commit([&](const commit& done) {
        for (const auto& event : done.batch->events) heard.push_back(event.pos);
    });
    CHECK(write_one(writer));
    backend.next_failure = store_errc::unavailable;
    backend.surprise = 2;
    CHECK_FALSE(write_one(writer));
    CHECK(write_in_the_end(writer).pos == 4);
    CHECK(heard == std::vector<position>{1, 2, 3, 4});
    CHECK(writer.head() == 4);
}

TEST_CASE("log writer: work that may wait is done when nobody waits", "[store][writer]") {
    scripted_backend backend;
    backend.idle_tidies_wanted = 3;
    telemetry::metrics metrics;
    log_writer writer{backend, {}, metrics, 0, 0};
    CHECK(write_one(writer));
    std::unique_lock lock{backend.mutex_};
    CHECK(backend.changed.wait_for(lock, std::chrono::seconds{30}, [&] {
        return backend.idle_tidies == 3 && backend.busy_tidies == 1;
    }));
}

TEST_CASE("log writer: housekeeping that leaves the disk in doubt fences, and it recovers",
          "[store][writer]") {
    scripted_backend backend;
    backend.tidy_failure = store_errc::unavailable;
    backend.recoveries_to_fail = 1;
    telemetry::metrics metrics;
    log_writer writer{backend, {}, metrics, 0, 0};
    {
        // What was due is taken up again once it has recovered.
        std::unique_lock lock{backend.mutex_};
        CHECK(backend.changed.wait_for(lock, std::chrono::seconds{30},
                                       [&] { return backend.idle_tidies > 0; }));
        CHECK(backend.recoveries == 2);
    }
    CHECK(writer.condition() == writer_condition::well);
    CHECK(value(write_one(writer)).pos == 1);
}

TEST_CASE("log writer: a fenced writer answers the queue when it stops", "[store][writer]") {
    scripted_backend backend;
    telemetry::metrics metrics;
    log_writer writer{backend, {}, metrics, 0, 0};
    backend.next_failure = store_errc::unavailable;
    backend.recoveries_to_fail = 1'000'000;
    CHECK_FALSE(write_one(writer));
    std::atomic<int> answered{0};
    for (int i = 0; i < 10; ++i) {
        writer.append(build({.appends = {{.stream = "s"}}}),
                      [&](result<append_outcome>) { ++answered; });
    }
    writer.stop();
    CHECK(answered == 10);
    CHECK(backend.closed);
}

TEST_CASE("log writer: while the backend hangs nobody begins to wait", "[store][writer]") {
    scripted_backend backend;
    std::promise<void> answer_at_last;
    backend.gate = &answer_at_last;
    telemetry::metrics metrics;
    log_writer writer{backend, {}, metrics, 0, 0};
    std::promise<result<append_outcome>> first;
    writer.append(build({.appends = {{.stream = "s"}}}),
                  [&](result<append_outcome> answer) { first.set_value(std::move(answer)); });
    backend.hanging = true;
    CHECK(code_of(write_one(writer)) == make_error_code(store_errc::unavailable));
    CHECK(code_of(write_one(writer)) == make_error_code(store_errc::unavailable));
    backend.hanging = false;
    answer_at_last.set_value();
    CHECK(value(first.get_future().get()).pos == 1);
    CHECK(value(write_one(writer)).pos == 2);
}

TEST_CASE("log writer: once recovering has failed, nobody waits for the next try",
          "[store][writer]") {
    scripted_backend backend;
    std::promise<void> second_try;
    backend.recovery_gate = &second_try;
    backend.next_failure = store_errc::unavailable;
    backend.recoveries_to_fail = 1;
    telemetry::metrics metrics;
    log_writer writer{backend, {}, metrics, 0, 0};
    CHECK_FALSE(write_one(writer));
    // Its own thread tries again, and waits there.
    const auto give_up = monotonic::now() + std::chrono::seconds{30};
    while (backend.recoveries_begun < 2) {
        REQUIRE(monotonic::now() < give_up);
        std::this_thread::yield();
    }
    CHECK(code_of(write_one(writer)) == make_error_code(store_errc::unavailable));
    second_try.set_value();
    CHECK(write_in_the_end(writer).pos == 1);
}

TEST_CASE("log writer: its numbers are counted", "[store][writer]") {
    scripted_backend backend;
    telemetry::metrics metrics;
    log_writer writer{backend, {}, metrics, 0, 0};
    CHECK(write_one(writer));
    backend.next_failure = store_errc::unavailable;
    backend.recoveries_to_fail = 1'000'000;
    CHECK_FALSE(write_one(writer));
    const auto text = metrics.text();
    CHECK(text.find("flexcore_store_appends_total{result=\"written\"} 1") != std::string::npos);
    CHECK(text.find("flexcore_store_appends_total{result=\"failed\"} 1") != std::string::npos);
    CHECK(text.find("flexcore_store_events_total 1") != std::string::npos);
    CHECK(text.find("flexcore_store_head 1") != std::string::npos);
    CHECK(text.find("flexcore_store_fenced 1") != std::string::npos);
    CHECK(text.find("flexcore_store_commit_seconds_count 1") != std::string::npos);
}

TEST_CASE("log writer: what others have written in bulk is passed over, the rest is told in order",
          "[store][writer]") {
    scripted_backend backend;
    telemetry::metrics metrics;
    log_writer writer{backend, {}, metrics, 5, 1000, [] { return unix_us{1}; }};
    std::vector<std::pair<position, std::size_t>> told;  // passed over to, events
    bool all_streams = false;
    writer.on_commit([&](const commit& one) {
        told.emplace_back(one.passed_over_to, one.batch->events.size());
        all_streams = all_streams || one.any_may_have_changed;
    });
    auto page = std::make_shared<event_batch>();
    page->events.emplace_back().pos = 30'001;
    {
        std::lock_guard lock{backend.mutex_};
        backend.foreign = {.batches = {page},
                           .passed_over_to = 30'000,
                           .recorded_at = 7000,
                           .any_may_have_changed = true};
        backend.next_failure = store_errc::full;  // the batch itself comes to nothing
    }
    CHECK_FALSE(write_one(writer));
    CHECK(writer.head() == 30'001);
    const auto next = value(write_one(writer));
    CHECK(next.pos == 30'002);
    CHECK(next.recorded_at == 7000);
    CHECK(told == std::vector<std::pair<position, std::size_t>>{{30'000, 0}, {0, 1}, {0, 1}});
    CHECK(all_streams);
}

TEST_CASE("log writer: a change stands alone in its batch where the backend wants it so",
          "[store][writer]") {
    scripted_backend backend;
    backend.alone = GENERATE(true, false);
    telemetry::metrics metrics;
    log_writer writer{backend, {}, metrics, 0, 0};
    std::vector<event_log::queued> all;
    std::atomic<int> answered{0};
    const auto add = [&](append_request one) {
        all.push_back({std::move(one), [&](auto) {
                           ++answered;
                           answered.notify_all();
                       }});
    };
    append_request change;
    change.tenant = tenant;
    change.change = stream_change{.stream = "s", .what = stream_change::kind::tombstone};
    for (int i = 0; i < 2; ++i) add(build({.appends = {{.stream = "s"}}}));
    add(change);
    add(change);
    add(build({.appends = {{.stream = "s"}}}));
    writer.append_all(std::move(all));
    for (int now = answered; now < 5; now = answered) answered.wait(now);
    writer.stop();
    CHECK(backend.sizes ==
          (backend.alone ? std::vector<std::size_t>{2, 1, 1, 1} : std::vector<std::size_t>{5}));
}

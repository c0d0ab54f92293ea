// The writer's own promises: order of telling, bounded queue, stopping.
#include "contract/harness.hpp"

#include <condition_variable>
#include <thread>

using namespace contract;

namespace {

/// Holds the writer's thread inside a callback until it is released.
class gate {
public:
    void close_writer(event_log& log) {
        // The callback may still be on its way out when the gate goes.
        log.append(build({.appends = {{.stream = "gate"}}}), [at = state_](result<append_outcome>) {
            std::unique_lock lock{at->mutex};
            at->held = true;
            at->changed.notify_all();
            at->changed.wait(lock, [&] { return at->open; });
        });
        std::unique_lock lock{state_->mutex};
        state_->changed.wait(lock, [this] { return state_->held; });
    }
    void open() {
        std::lock_guard lock{state_->mutex};
        state_->open = true;
        state_->changed.notify_all();
    }

private:
    struct state {
        std::mutex mutex;
        std::condition_variable changed;
        bool held = false;
        bool open = false;
    };
    const std::shared_ptr<state> state_ = std::make_shared<state>();
};

}  // namespace

TEST_CASE("writer: head moves, then listeners see the events, then callers are told",
          "[store][writer]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    position listened = 0;
    std::vector<std::string> seen;
    const int mark = 7;
    bool origin_given = false;
    log.on_commit([&](const commit& done) {
        CHECK(log.head() == done.batch->events.back().pos);
        for (const auto& part : done.appends) {
            if (part.origin == &mark) origin_given = part.count == 2;
        }
        for (const auto& event : done.batch->events) {
            CHECK(event.pos == listened + 1);
            listened = event.pos;
            seen.emplace_back(event.stream);
        }
    });
    bool told_last = false;
    std::promise<void> told;
    log.append(build({.appends = {{.stream = "a"}, {.stream = "b"}}, .origin = &mark}),
               [&](result<append_outcome> answer) {
                   told_last = answer && listened == 2 && log.head() == 2;
                   told.set_value();
               });
    told.get_future().get();
    CHECK(told_last);
    CHECK(origin_given);
    CHECK(seen == std::vector<std::string>{"a", "b"});
}

TEST_CASE("writer: one commit takes all that waits, and answers in order", "[store][writer]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    std::vector<std::size_t> commits;
    log.on_commit([&](const commit& done) { commits.push_back(done.batch->events.size()); });
    gate closed;
    closed.close_writer(log);
    std::vector<int> order;
    std::promise<void> all;
    for (int i = 0; i < 50; ++i) {
        log.append(build({.appends = {{.stream = "s"}}}), [&, i](result<append_outcome>) {
            order.push_back(i);
            if (i == 49) all.set_value();
        });
    }
    closed.open();
    all.get_future().get();
    CHECK(std::is_sorted(order.begin(), order.end()));
    CHECK(order.size() == 50);
    CHECK(commits == std::vector<std::size_t>{1, 50});
}

TEST_CASE("writer: a refused append never fails its neighbours", "[store][writer]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    std::vector<event_log::queued> together;
    std::atomic<int> good{0};
    std::atomic<int> refused{0};
    std::promise<void> all;
    for (int i = 0; i < 30; ++i) {
        together.push_back({build({.appends = {{.stream = "s-" + std::to_string(i),
                                                .expected = i % 3 == 0 ? exists : none}}}),
                            [&](result<append_outcome> answer) {
                                if ((answer ? ++good : ++refused) + (answer ? refused : good) ==
                                    30) {
                                    all.set_value();
                                }
                            }});
    }
    log.append_all(std::move(together));
    all.get_future().get();
    CHECK(good == 20);
    CHECK(refused == 10);
    CHECK(log.head() == 20);
    CHECK(value(log.streams(tenant, "", "", "", 100)).items.size() == 20);
}

TEST_CASE("writer: a full queue answers busy at once and takes appends again later",
          "[store][writer]") {
    store_settings small;
    small.queue_events_max = 20;
    small.queue_bytes_max = 1 << 20;
    store_under_test store{each_backend(), small};
    event_log& log = store.log();
    gate closed;
    closed.close_writer(log);
    std::atomic<int> answered{0};
    std::promise<void> all;
    // The append that holds the writer still takes its place.
    for (int i = 0; i < 19; ++i) {
        log.append(build({.appends = {{.stream = "s"}}}), [&](result<append_outcome> answer) {
            if (answer && ++answered == 19) all.set_value();
        });
    }
    const auto refused_at_once = [&](const request& from) {
        std::error_code code;
        log.append(build(from), [&](result<append_outcome> answer) { code = code_of(answer); });
        return code == store_errc::busy;
    };
    CHECK(refused_at_once({.appends = {{.stream = "s"}}}));
    CHECK(refused_at_once({.keys = {{.name = "k"}}}));
    CHECK(answered == 0);
    closed.open();
    all.get_future().get();
    CHECK(log.head() == 20);
    CHECK(append(log, {.stream = "s"}));
    SECTION("bytes are bounded as well") {
        gate again;
        again.close_writer(log);
        const event large{.data = "\"" + std::string(900'000, 'x') + "\""};
        std::promise<void> taken;
        log.append(build({.appends = {{.stream = "s", .events = {large}}}}),
                   [&](result<append_outcome>) { taken.set_value(); });
        CHECK(refused_at_once({.appends = {{.stream = "s", .events = {large}}}}));
        again.open();
        taken.get_future().get();
    }
    SECTION("requests of one call are taken or refused together") {
        gate again;
        again.close_writer(log);
        std::vector<event_log::queued> together;
        std::atomic<int> busy{0};
        for (int i = 0; i < 25; ++i) {
            together.push_back(
                {build({.appends = {{.stream = "s"}}}), [&](result<append_outcome> answer) {
                     if (code_of(answer) == store_errc::busy) ++busy;
                 }});
        }
        log.append_all(std::move(together));
        CHECK(busy == 25);
        again.open();
    }
    SECTION("what is larger than the queue could never be written") {
        CHECK(code_of(append(log, {.stream = "s", .events = events(21)})) ==
              make_error_code(store_errc::invalid_request));
    }
}

TEST_CASE("writer: a batch is bounded, one request is never split", "[store][writer]") {
    store_settings small;
    small.batch_events_max = 10;
    store_under_test store{each_backend(), small};
    event_log& log = store.log();
    std::vector<std::size_t> commits;
    log.on_commit([&](const commit& done) { commits.push_back(done.batch->events.size()); });
    gate closed;
    closed.close_writer(log);
    std::promise<void> all;
    for (const std::size_t count : {4u, 4u, 4u, 25u, 1u}) {
        log.append(build({.appends = {{.stream = "s", .events = events(count)}}}),
                   [&, count](result<append_outcome>) {
                       if (count == 1) all.set_value();
                   });
    }
    closed.open();
    all.get_future().get();
    CHECK(commits == std::vector<std::size_t>{1, 8, 4, 25, 1});
}

TEST_CASE("writer: stop answers what is queued and refuses what comes later", "[store][writer]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    gate closed;
    closed.close_writer(log);
    std::atomic<int> good{0};
    for (int i = 0; i < 20; ++i) {
        log.append(build({.appends = {{.stream = "s"}}}), [&](result<append_outcome> answer) {
            if (answer) ++good;
        });
    }
    std::thread stopping{[&] { log.stop(); }};
    closed.open();
    stopping.join();
    CHECK(good == 20);
    CHECK(log.head() == 21);
    std::error_code code;
    log.append(build({.appends = {{.stream = "s"}}}),
               [&](result<append_outcome> answer) { code = code_of(answer); });
    CHECK(code == store_errc::stopped);
    log.stop();
}

TEST_CASE("writer: what a killed process left is put into the database before it is served",
          "[store][writer]") {
    const auto copy = [](const std::filesystem::path& from, const scratch_folder& to,
                         const char* file) {
        std::filesystem::copy_file(from / file, to.path() / file);
    };
    const auto head_in = [](const scratch_folder& folder, auto look) {
        telemetry::metrics metrics;
        telemetry::health_registry health;
        store_settings settings;
        settings.url = "sqlite:";
        settings.data = folder.path();
        const auto opened = value(open_store(settings, metrics, health));
        look();
        return opened.log->head();
    };
    scratch_folder killed;  // as a kill leaves it: all in the WAL
    scratch_folder served;  // what is in the database when it is served
    {
        store_under_test store{{.url = "sqlite:", .keeps = true}};
        appended(store.log(), {.stream = "s", .events = events(3)});
        copy(store.folder() / "data", killed, "events.db");
        copy(store.folder() / "data", killed, "events.db-wal");
    }
    CHECK(head_in(killed, [&] { copy(killed.path(), served, "events.db"); }) == 3);
    CHECK(head_in(served, [] {}) == 3);
}

TEST_CASE("writer: callbacks may append", "[store][writer]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    std::promise<version> last;
    std::function<void(int)> chain = [&](int left) {
        log.append(build({.appends = {{.stream = "s"}}}), [&, left](result<append_outcome> answer) {
            if (left > 1) {
                chain(left - 1);
            } else {
                last.set_value(answer ? answer->appends.at(0).last_version : 0);
            }
        });
    };
    chain(10);
    CHECK(last.get_future().get() == 10);
}

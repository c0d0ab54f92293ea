// Commits that fail: nothing is acknowledged, nothing acknowledged is lost, and it heals by itself.
#include "contract/harness.hpp"
#include "store/sqlite/event_log.hpp"
#include "unit/store/fault_vfs.hpp"

#include <random>
#include <set>

using namespace contract;

namespace {

const auto unavailable = make_error_code(store_errc::unavailable);

class faulty_log {
public:
    faulty_log() {
        fault::now().heal();
        open();
    }
    ~faulty_log() {
        fault::now().heal();
        close();
    }
    faulty_log(const faulty_log&) = delete;
    faulty_log& operator=(const faulty_log&) = delete;

    void open() {
        auto folder = value(data_folder::open(folder_.path()));
        log_ = value(sqlite::open_log(
            {.folder = folder, .limits = {}, .wal_bytes_max = 256 << 10, .vfs = fault::vfs()},
            metrics_, health_));
        log_->on_commit([this](const commit& done) {
            for (const auto& event : done.batch->events) {
                listened_in_order_ = listened_in_order_ && event.pos == listened_ + 1;
                listened_ = event.pos;
            }
        });
        listened_ = log_->head();
    }
    void close() {
        if (log_) log_->stop();
        log_.reset();
    }
    [[nodiscard]] event_log& log() { return *log_; }
    [[nodiscard]] telemetry::health state() {
        for (const auto& one : health_.all()) {
            if (one.name == "store") return one.report.state;
        }
        FAIL("the store says nothing about its health");
        return {};
    }
    [[nodiscard]] bool listened_to_all() { return listened_in_order_ && listened_ == log_->head(); }
    /// Appends until it is accepted.
    append_outcome append_in_the_end(const request& from) {
        const auto give_up = monotonic::now() + std::chrono::seconds{30};
        for (;;) {
            auto answer = append(*log_, from);
            if (answer) return *answer;
            REQUIRE(answer.error().code == unavailable);
            REQUIRE(monotonic::now() < give_up);
            std::this_thread::yield();
        }
    }

private:
    scratch_folder folder_;
    telemetry::metrics metrics_;
    telemetry::health_registry health_;
    std::unique_ptr<event_log> log_;
    position listened_ = 0;
    bool listened_in_order_ = true;
};

std::map<uuid, int> stored_ids(event_log& log) {
    std::map<uuid, int> ids;
    for (position after = 0;;) {
        const auto page = value(log.read_log({}, after, 1000, direction::forward));
        for (const auto& event : page.batch->events) ++ids[event.id];
        if (page.at_end) return ids;
        after = page.scanned_to;
    }
}

}  // namespace

TEST_CASE("fault: a failed fsync acknowledges nothing until the store has recovered",
          "[store][fault]") {
    faulty_log store;
    const bool with_readers = GENERATE(true, false);
    appended(store.log(), {.stream = "s", .events = events(3)});
    if (with_readers) CHECK(current_version(store.log(), "s") == 3);
    const request unlucky{
        .appends = {{.stream = "s", .expected = at(3), .events = events_with_ids(2)}}};

    fault::now().sync_fails = true;
    CHECK(code_of(append(store.log(), unlucky)) == unavailable);
    CHECK(store.state() == telemetry::health::unhealthy);
    CHECK(store.log().head() == 3);
    CHECK(code_of(append(store.log(), {.stream = "t"})) == unavailable);
    CHECK(store.log().head() == 3);
    if (with_readers) CHECK(current_version(store.log(), "s") == 3);  // reads go on

    fault::now().heal();
    const auto retried = store.append_in_the_end(unlucky);
    CHECK(retried.appends.at(0).first_version == 4);
    CHECK(retried.appends.at(0).first_position == 4);
    CHECK(store.state() == telemetry::health::healthy);
    CHECK(store.log().head() == 5);
    CHECK(store.listened_to_all());
    store.close();
    store.open();
    CHECK(store.log().head() == 5);
    for (const auto& [id, count] : stored_ids(store.log())) CHECK(count == 1);
}

TEST_CASE("fault: what a failed commit left is not read before it is certain", "[store][fault]") {
    faulty_log store;
    appended(store.log(), {.stream = "s"});
    fault::now().sync_fails = true;
    CHECK(code_of(append(store.log(), {.stream = "s", .events = events(2)})) == unavailable);
    for (int i = 0; i < 3; ++i) {
        CHECK(code_of(append(store.log(), {.stream = "s"})) == unavailable);
        // Nobody has read before: these are new connections.
        auto page = store.log().read_log({}, 0, 10, direction::forward);
        CHECK(value(std::move(page)).batch->events.size() == 1);
        CHECK(current_version(store.log(), "s") == 1);
    }
    fault::now().heal();
    store.append_in_the_end({.appends = {{.stream = "s"}}});
    CHECK(store.listened_to_all());
}

TEST_CASE("fault: a full device answers full, reads go on, and writing resumes by itself",
          "[store][fault]") {
    faulty_log store;
    appended(store.log(), {.stream = "s", .events = events(3)});
    fault::now().device_full = true;
    for (int i = 0; i < 3; ++i) {
        CHECK(code_of(append(store.log(), {.stream = "s"})) == make_error_code(store_errc::full));
    }
    CHECK(store.state() == telemetry::health::degraded);
    CHECK(current_version(store.log(), "s") == 3);
    CHECK(code_of(append(store.log(), {.stream = "s", .expected = none})) ==
          make_error_code(store_errc::version_conflict));
    fault::now().heal();
    CHECK(appended(store.log(), {.stream = "s", .expected = at(3)}).pos == 4);
    CHECK(store.state() == telemetry::health::healthy);
    CHECK(store.listened_to_all());
}

TEST_CASE("fault: a failed write fences and recovers", "[store][fault]") {
    faulty_log store;
    appended(store.log(), {.stream = "s", .events = events(3)});
    fault::now().write_fails = true;
    CHECK(code_of(append(store.log(), {.stream = "s"})) == unavailable);
    CHECK(code_of(append(store.log(), {.stream = "s"})) == unavailable);
    fault::now().heal();
    CHECK(store.append_in_the_end({.appends = {{.stream = "s", .expected = at(3)}}}).pos == 4);
    CHECK(store.listened_to_all());
}

TEST_CASE("fault: names and versions of a failed batch are not remembered", "[store][fault]") {
    faulty_log store;
    appended(store.log(), {.stream = "s"});
    fault::now().device_full = true;
    CHECK_FALSE(append(store.log(), {.appends = {{.stream = "new-1",
                                                  .events = {{.type = "t.new", .tags = {"g:1"}}}}},
                                     .tenant = "fresh"}));
    fault::now().heal();
    appended(store.log(), {.appends = {{.stream = "other-1", .events = {{.type = "t.other"}}}},
                           .tenant = "second"});
    const auto written =
        appended(store.log(), {.appends = {{.stream = "new-1",
                                            .expected = none,
                                            .events = {{.type = "t.new", .tags = {"g:1"}}}}},
                               .tenant = "fresh"});
    const auto read = value(store.log().read_event("fresh", written.ids.at(0)));
    CHECK(read->events.at(0).type == "t.new");
    CHECK(read->events.at(0).stream == "new-1");
    CHECK(all_positions(store.log(), {.tenant = "fresh", .what = {{.tags = {"g:1"}}}}) ==
          std::vector<position>{written.pos});
}

TEST_CASE("fault: under random faults every acknowledged event is there exactly once",
          "[store][fault]") {
    faulty_log store;
    std::mt19937 random{11};  // NOLINT: the same run each time
    std::set<uuid> acknowledged;
    std::set<uuid> tried;
    for (int i = 0; i < 200; ++i) {
        switch (random() % 12) {
            case 0:
                fault::now().syncs_to_fail = static_cast<int>(1 + random() % 3);
                break;
            case 1:
                fault::now().device_full = true;
                break;
            case 2:
                fault::now().write_fails = true;
                break;
            case 3:
                fault::now().sync_fails = true;
                break;
            default:
                fault::now().heal();
                break;
        }
        const event one{.data = "\"" + std::string(random() % 3000, 'x') + "\"", .id = uuid_v7()};
        const request from{
            .appends = {{.stream = "s-" + std::to_string(random() % 5), .events = {one}}}};
        tried.insert(one.id);
        if (append(store.log(), from)) acknowledged.insert(one.id);
        if (random() % 4 == 0) (void)store.log().read_log({}, 0, 10, direction::backward);
        if (random() % 6 == 0) {
            // Sent again with the same ids until it is accepted: written once all the same.
            fault::now().heal();
            store.append_in_the_end(from);
            acknowledged.insert(one.id);
        }
    }
    CHECK(fault::now().failed > 0);
    fault::now().heal();
    store.append_in_the_end({.appends = {{.stream = "last"}}});
    CHECK(store.listened_to_all());
    store.close();
    store.open();
    const auto ids = stored_ids(store.log());
    CHECK(ids.size() == store.log().head());
    for (const auto& [id, count] : ids) CHECK(count == 1);
    for (const auto& id : acknowledged) CHECK(ids.contains(id));
    CHECK(acknowledged.size() > 50);
}

TEST_CASE("fault: under random faults a follower is shown what the log ends up with, in order",
          "[store][fault]") {
    faulty_log store;
    std::mt19937 random{GENERATE(1u, 2u, 3u)};
    std::atomic<bool> over{false};
    std::vector<uuid> followed;
    bool in_order = true;
    std::thread follower{[&] {
        for (position after = 0;;) {
            const bool last = over;
            const auto page = store.log().read_log({}, after, 100, direction::forward);
            if (!page) continue;
            for (const auto& event : page->batch->events) {
                in_order = in_order && event.pos == after + 1;
                after = event.pos;
                followed.push_back(event.id);
            }
            if (last && page->at_end) return;
        }
    }};
    for (int i = 0; i < 200; ++i) {
        switch (random() % 10) {
            case 0:
                fault::now().syncs_to_fail = static_cast<int>(1 + random() % 3);
                break;
            case 1:
                fault::now().device_full = true;
                break;
            case 2:
                fault::now().write_fails = true;
                break;
            case 3:
                fault::now().sync_fails = true;
                break;
            case 4:
                fault::now().database_sync_fails = true;
                break;
            case 5:
                fault::now().writes_to_fail = 1;
                break;
            default:
                fault::now().heal();
                break;
        }
        const event one{.data = "\"" + std::string(random() % 20'000, 'x') + "\""};
        (void)append(store.log(), {.stream = "s-" + std::to_string(random() % 5),
                                   .events = std::vector<event>(1 + random() % 4, one)});
    }
    fault::now().heal();
    store.append_in_the_end({.appends = {{.stream = "last"}}});
    CHECK(store.listened_to_all());
    over = true;
    follower.join();
    CHECK(in_order);
    store.close();
    store.open();
    std::vector<uuid> stored;
    for (position after = 0;;) {
        const auto page = value(store.log().read_log({}, after, 1000, direction::forward));
        for (const auto& event : page.batch->events) stored.push_back(event.id);
        if (page.at_end) break;
        after = page.scanned_to;
    }
    CHECK(followed == stored);
}

// What the log writer does when nobody waits: expired keys go, the WAL stays small.
#include "contract/harness.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/event_log.hpp"

using namespace contract;
using store::sqlite::access;
using store::sqlite::connection;

namespace {

template <class Condition>
bool eventually(Condition holds) {
    const auto give_up = monotonic::now() + std::chrono::seconds{30};
    while (!holds()) {
        if (monotonic::now() > give_up) return false;
        std::this_thread::yield();
    }
    return true;
}

struct own_log {
    scratch_folder folder;
    telemetry::metrics metrics;
    telemetry::health_registry health;
    std::atomic<unix_us> clock{1'000'000};
    std::unique_ptr<event_log> log;

    void open(std::uint64_t wal_bytes_max = 32u << 20) {
        log.reset();
        log = value(sqlite::open_log({.folder = value(data_folder::open(folder.path())),
                                      .limits = {},
                                      .wal_bytes_max = wal_bytes_max,
                                      .clock = [this] { return clock.load(); }},
                                     metrics, health));
    }
    [[nodiscard]] std::int64_t number(const char* sql) const {
        auto db = value(connection::open({.file = folder.path() / "events.db"}));
        return value(db.integer(sql));
    }
};

}  // namespace

TEST_CASE("housekeeping: expired keys are deleted, the others stay", "[store][housekeeping]") {
    own_log store;
    store.open();
    constexpr int expiring = 1300;
    std::promise<void> last;
    for (int i = 0; i < expiring; ++i) {
        store.log->append(build({.keys = {{.name = "short-" + std::to_string(i), .keep_us = 10}}}),
                          [&, i](result<append_outcome>) {
                              if (i == expiring - 1) last.set_value();
                          });
    }
    last.get_future().get();
    appended(*store.log, {.keys = {{.name = "long", .keep_us = 1'000'000'000}}});
    const char* count = "SELECT count(*) FROM idempotency_keys";
    CHECK(store.number(count) == expiring + 1);
    store.clock += 11;
    CHECK_FALSE(value(store.log->find_answer(tenant, "short-0")));
    // A fresh writer looks at once.
    store.open();
    CHECK(eventually([&] { return store.number(count) == 1; }));
    CHECK(value(store.log->find_answer(tenant, "long")));
}

TEST_CASE("housekeeping: the WAL is emptied into the database beyond its limit",
          "[store][housekeeping]") {
    own_log store;
    constexpr std::uint64_t limit = 512 << 10;
    store.open(limit);
    const event large{.data = "\"" + std::string(20'000, 'x') + "\""};
    for (int i = 0; i < 400; ++i) {
        appended(*store.log, {.stream = "s-" + std::to_string(i), .events = {large}});
    }
    // Eight megabytes went through it; busy or not it never grew beyond a few times its limit.
    const auto wal = std::filesystem::file_size(store.folder.path() / "events.db-wal");
    CHECK(wal < 6 * limit);
    CHECK(std::filesystem::file_size(store.folder.path() / "events.db") > 4'000'000);
    CHECK(store.log->head() == 400);
}

TEST_CASE("housekeeping: recorded_at goes on from where the log ended", "[store][housekeeping]") {
    own_log store;
    store.open();
    store.clock = 5'000'000;
    CHECK(appended(*store.log, {.stream = "s"}).recorded_at == 5'000'000);
    store.clock = 4'000'000;
    store.open();
    CHECK(appended(*store.log, {.stream = "s"}).recorded_at == 5'000'000);
}

TEST_CASE("housekeeping: the store's health goes with it", "[store][housekeeping]") {
    own_log store;
    store.open();
    REQUIRE(store.health.all().size() == 1);
    CHECK(store.health.all()[0].name == "store");
    CHECK(store.health.all()[0].needed_for_ready);
    CHECK(store.health.all()[0].report.state == telemetry::health::healthy);
    store.log.reset();
    CHECK(store.health.all().empty());
}

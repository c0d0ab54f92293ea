// Rules and reclaiming on a disk that fails: what was acknowledged holds, nothing else goes.
#include "contract/rules_fixture.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/event_log.hpp"
#include "unit/store/fault_vfs.hpp"

#include <random>

using namespace contract;
using store::sqlite::connection;

namespace {

/// Tries until it is taken; what was ambiguous is done twice, which must not show.
template <class Do>
void in_the_end(Do what) {
    const auto give_up = monotonic::now() + std::chrono::seconds{30};
    for (;;) {
        const auto answer = what();
        if (answer) return;
        INFO(answer.error().client << " | " << answer.error().log);
        REQUIRE((answer.error().code == store_errc::unavailable ||
                 answer.error().code == store_errc::full));
        REQUIRE(monotonic::now() < give_up);
        fault::now().heal();
        std::this_thread::yield();
    }
}

struct expected_stream {
    version last = 0;
    version first = 1;  ///< what was deleted lies below
    bool there = false;
    std::uint64_t max_count = 1000;

    [[nodiscard]] list served() const {
        list all;
        version from = first;
        if (last > max_count) from = std::max(from, last - max_count + 1);
        for (version v = from; v <= last; ++v) all.push_back(v);
        return all;
    }
};

void break_something(std::mt19937& random) {
    auto& faults = fault::now();
    switch (random() % 10) {
        case 0:
            faults.syncs_to_fail = static_cast<int>(1 + random() % 3);
            break;
        case 1:
            faults.device_full = true;
            break;
        case 2:
            faults.writes_to_fail = static_cast<int>(1 + random() % 20);
            break;
        case 3:
            faults.sync_fails = true;
            break;
        default:
            faults.heal();
            break;
    }
}

}  // namespace

TEST_CASE("rules: under random faults what was acknowledged holds and nothing else goes",
          "[store][rules][fault]") {
    fault::now().heal();
    scratch_folder folder;
    telemetry::metrics metrics;
    telemetry::health_registry health;
    std::unique_ptr<event_log> log;
    const auto open = [&] {
        log.reset();
        log = value(sqlite::open_log({.folder = value(data_folder::open(folder.path())),
                                      .limits = {},
                                      .wal_bytes_max = 128 << 10,
                                      .vfs = fault::vfs()},
                                     metrics, health));
    };
    open();
    std::mt19937 random{GENERATE(1u, 2u, 3u)};  // NOLINT: the same run each time
    std::map<std::string, expected_stream> model;
    for (int i = 0; i < 150; ++i) {
        break_something(random);
        const std::string name = "s-" + std::to_string(random() % 4);
        auto& stream = model[name];
        const auto what = stream.there ? random() % 6 : 0;
        if (what <= 3) {
            const to_stream more{.stream = name, .events = events_with_ids(1 + random() % 40)};
            in_the_end([&] { return append(*log, more); });
            if (!stream.there) stream.first = stream.last + 1;
            stream.there = true;
            stream.last += more.events.size();
        } else if (what == 4) {
            // Never more than before: what was taken away may be gone by then.
            stream.max_count = std::min<std::uint64_t>(stream.max_count, 1 + random() % 30);
            in_the_end([&] { return set(*log, name, {.max_count = stream.max_count}); });
        } else {
            in_the_end([&] { return soft_delete(*log, name); });
            stream.there = false;
        }
        if (random() % 20 == 0) {
            fault::now().heal();
            open();
        }
        for (const auto& [of, wanted] : model) {
            if (!wanted.there) {
                CHECK(code_of(log->stream(tenant, of)) ==
                      make_error_code(store_errc::stream_not_found));
                continue;
            }
            CHECK(served(*log, of) == wanted.served());
        }
    }
    CHECK(fault::now().failed > 0);
    fault::now().heal();
    open();
    for (const auto& [of, wanted] : model) {
        if (wanted.there) CHECK(served(*log, of) == wanted.served());
    }
    const position head = log->head();
    log->stop();
    auto db = value(connection::open({.file = folder.path() / "events.db"}));
    CHECK(value(db.integer("SELECT count(*) FROM events")) +
              value(db.integer("SELECT coalesce(sum(last-first+1), 0) FROM holes")) ==
          static_cast<std::int64_t>(head));
    CHECK(value(db.integer("SELECT count(*) FROM holes")) > 0);
    CHECK(value(db.integer("SELECT count(*) FROM event_tags t LEFT JOIN events e USING (position) "
                           "WHERE e.position IS NULL")) == 0);
}

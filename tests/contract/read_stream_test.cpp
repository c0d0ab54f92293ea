// Reading one stream, single events, the list of streams.
#include "contract/harness.hpp"

using namespace contract;

namespace {

using list = std::vector<version>;

stream_page read(event_log& log, version from, std::size_t limit, direction way) {
    return value(log.read_stream(tenant, "s", from, limit, way));
}

}  // namespace

TEST_CASE("read stream: forward at the edges", "[store][read]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    appended(log, {.stream = "s", .events = events(5)});
    const auto forward = direction::forward;
    CHECK(versions(*read(log, 0, 10, forward).batch) == list{1, 2, 3, 4, 5});
    CHECK(read(log, 0, 10, forward).next == 0);
    CHECK(read(log, 0, 5, forward).next == 0);
    CHECK(versions(*read(log, 0, 4, forward).batch) == list{1, 2, 3, 4});
    CHECK(read(log, 0, 4, forward).next == 5);
    CHECK(versions(*read(log, 5, 4, forward).batch) == list{5});
    CHECK(read(log, 5, 1, forward).next == 0);
    CHECK(versions(*read(log, 2, 2, forward).batch) == list{2, 3});
    CHECK(read(log, 6, 10, forward).batch->events.empty());
    CHECK(read(log, 6, 10, forward).next == 0);
    CHECK(read(log, UINT64_MAX, 10, forward).batch->events.empty());
}

TEST_CASE("read stream: backward at the edges", "[store][read]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    appended(log, {.stream = "s", .events = events(5)});
    const auto backward = direction::backward;
    CHECK(versions(*read(log, 0, 10, backward).batch) == list{5, 4, 3, 2, 1});
    CHECK(read(log, 0, 5, backward).next == 0);
    CHECK(versions(*read(log, 0, 2, backward).batch) == list{5, 4});
    CHECK(read(log, 0, 2, backward).next == 3);
    CHECK(versions(*read(log, 3, 2, backward).batch) == list{3, 2});
    CHECK(versions(*read(log, 1, 9, backward).batch) == list{1});
    CHECK(read(log, 1, 1, backward).next == 0);
    CHECK(versions(*read(log, 99, 1, backward).batch) == list{5});
    CHECK(versions(*read(log, UINT64_MAX, 1, backward).batch) == list{5});
}

TEST_CASE("read stream: unknown streams and a limit of 0 are refused", "[store][read]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    const auto missing = make_error_code(store_errc::stream_not_found);
    for (const auto way : {direction::forward, direction::backward}) {
        CHECK(code_of(log.read_stream(tenant, "s", 0, 10, way)) == missing);
        CHECK(code_of(log.read_stream("nobody", "s", 0, 10, way)) == missing);
        CHECK(code_of(log.read_stream(tenant, "s", 0, 0, way)) ==
              make_error_code(store_errc::invalid_request));
    }
    CHECK(code_of(log.stream(tenant, "s")) == missing);
    CHECK(code_of(log.read_event(tenant, uuid_v7())) ==
          make_error_code(store_errc::event_not_found));
}

TEST_CASE("read stream: a page is bounded in bytes", "[store][read]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    const event large{.data = "\"" + std::string(1'000'000, 'x') + "\""};
    appended(log, {.stream = "s", .events = std::vector<event>(8, large)});
    const auto first = read(log, 0, 100, direction::forward);
    CHECK(first.batch->events.size() < 8);
    REQUIRE(first.next != 0);
    std::size_t seen = first.batch->events.size();
    for (version from = first.next; from != 0;) {
        const auto page = read(log, from, 100, direction::forward);
        REQUIRE_FALSE(page.batch->events.empty());
        seen += page.batch->events.size();
        from = page.next;
    }
    CHECK(seen == 8);
}

TEST_CASE("read stream: a batch outlives the store's later writes", "[store][read]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    appended(log, {.stream = "s", .events = {{.data = "\"first\""}}});
    const auto page = read(log, 0, 10, direction::forward);
    for (int i = 0; i < 200; ++i) appended(log, {.stream = "s"});
    CHECK(page.batch->events.at(0).data == "\"first\"");
    CHECK(page.batch->events.at(0).stream == "s");
}

TEST_CASE("read event: by its id", "[store][read]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    const auto outcome = appended(log, {.stream = "s", .events = events(3)});
    const auto found = value(log.read_event(tenant, outcome.ids.at(1)));
    REQUIRE(found->events.size() == 1);
    CHECK(found->events[0].ver == 2);
}

TEST_CASE("streams: version and times of one", "[store][read]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    const auto first = appended(log, {.stream = "s", .events = events(2)});
    const auto last = appended(log, {.stream = "s"});
    const auto info = value(log.stream(tenant, "s"));
    CHECK(info.stream == "s");
    CHECK(info.ver == 3);
    CHECK(info.created_at == first.recorded_at);
    CHECK(info.updated_at == last.recorded_at);
}

TEST_CASE("streams: listed by name, by category, by prefix, in pages", "[store][read]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    for (const auto* name :
         {"order-2", "order-10", "order", "order,x", "orders-1", "order-1", "Zebra-1", "ärger-1"}) {
        appended(log, {.stream = name});
    }
    const auto names = [&](std::string_view category, std::string_view prefix) {
        std::vector<std::string> all;
        std::string after;
        do {
            const auto page = value(log.streams(tenant, category, prefix, after, 2));
            REQUIRE(page.items.size() <= 2);
            for (const auto& info : page.items) {
                all.push_back(info.stream);
                CHECK(info.ver == 1);
            }
            after = page.next;
        } while (!after.empty());
        return all;
    };
    using texts = std::vector<std::string>;
    CHECK(names("", "") == texts{"Zebra-1", "order", "order,x", "order-1", "order-10", "order-2",
                                 "orders-1", "ärger-1"});
    CHECK(names("order", "") == texts{"order", "order-1", "order-10", "order-2"});
    CHECK(names("", "order-1") == texts{"order-1", "order-10"});
    CHECK(names("order", "ord") == texts{"order", "order-1", "order-10", "order-2"});
    CHECK(names("order", "order-1") == texts{"order-1", "order-10"});
    CHECK(names("order", "orders") == texts{});
    CHECK(names("unknown", "") == texts{});
    CHECK(value(log.streams("nobody", "", "", "", 10)).items.empty());
    CHECK(value(log.streams(tenant, "", "", "zzz", 10)).items.size() == 1);
    CHECK(code_of(log.streams(tenant, "", "", "", 0)) ==
          make_error_code(store_errc::invalid_request));
}

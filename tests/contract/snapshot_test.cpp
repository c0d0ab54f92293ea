// Snapshots: what was put comes back whole, or not at all.
#include "contract/harness.hpp"

#include <fstream>

using namespace contract;

namespace {

snapshot taken(version ver, std::string state) {
    return {.ver = ver, .event_id = uuid_v7(), .state = std::move(state)};
}

}  // namespace

TEST_CASE("snapshots: what was put comes back, the latest of a stream", "[store][snapshots]") {
    store_under_test store{each_backend()};
    auto& kept = store.snapshots();
    CHECK_FALSE(kept.find(tenant, "s", 1));
    const std::string bytes{"\0\xff state", 8};
    const auto first = taken(5, bytes);
    kept.put(tenant, "s", 1, first);
    kept.put("other", "s", 1, taken(9, "theirs"));
    const auto found = kept.find(tenant, "s", 1);
    REQUIRE(found);
    CHECK(found->ver == 5);
    CHECK(found->event_id == first.event_id);
    CHECK(found->state == bytes);
    kept.put(tenant, "s", 1, taken(7, ""));
    CHECK(kept.find(tenant, "s", 1)->ver == 7);
    CHECK(kept.find(tenant, "s", 1)->state.empty());
    CHECK(kept.find("other", "s", 1)->state == "theirs");
    kept.drop(tenant, "s");
    CHECK_FALSE(kept.find(tenant, "s", 1));
    CHECK(kept.find("other", "s", 1));
}

TEST_CASE("snapshots: one of another reducer version is not there", "[store][snapshots]") {
    store_under_test store{each_backend()};
    auto& kept = store.snapshots();
    kept.put(tenant, "s", 2, taken(5, "two"));
    CHECK_FALSE(kept.find(tenant, "s", 1));
    CHECK_FALSE(kept.find(tenant, "s", 3));
    // Side by side while versions change; those below go with a new one.
    kept.put(tenant, "s", 1, taken(4, "one"));
    CHECK(kept.find(tenant, "s", 1)->state == "one");
    CHECK(kept.find(tenant, "s", 2)->state == "two");
    kept.put(tenant, "s", 3, taken(6, "three"));
    CHECK_FALSE(kept.find(tenant, "s", 1));
    CHECK_FALSE(kept.find(tenant, "s", 2));
    CHECK(kept.find(tenant, "s", 3)->state == "three");
}

TEST_CASE("snapshots: kept over reopening", "[store][snapshots]") {
    store_under_test store{each_keeping_backend()};
    store.snapshots().put(tenant, "s", 1, taken(5, "state"));
    store.reopen();
    CHECK(store.snapshots().find(tenant, "s", 1)->state == "state");
}

TEST_CASE("snapshots: gone with their file, and begun anew", "[store][snapshots]") {
    store_under_test store{{.url = "sqlite:", .keeps = true}};
    store.snapshots().put(tenant, "s", 1, taken(5, "state"));
    store.close();
    const auto file = store.folder() / "data" / "snapshots.db";
    SECTION("removed") { std::filesystem::remove(file); }
    SECTION("not a database") {
        std::ofstream{file} << std::string(8192, 'x');
        store.reopen();
        CHECK_FALSE(store.snapshots().find(tenant, "s", 1));
        store.close();
    }
    store.reopen();
    CHECK_FALSE(store.snapshots().find(tenant, "s", 2));
    store.snapshots().put(tenant, "s", 1, taken(6, "again"));
    CHECK(store.snapshots().find(tenant, "s", 1)->state == "again");
}

TEST_CASE("snapshots: any flipped byte of a state and it is not there", "[store][snapshots]") {
    store_under_test store{{.url = "sqlite:", .keeps = true}};
    const std::string state(200, 'Q');
    store.snapshots().put(tenant, "s", 1, taken(5, state));
    store.close();
    const auto file = store.folder() / "data" / "snapshots.db";
    std::string bytes;
    {
        std::ifstream in{file, std::ios::binary};
        bytes.assign(std::istreambuf_iterator<char>{in}, {});
    }
    const auto at = bytes.find(state);
    REQUIRE(at != std::string::npos);
    bytes[at + 100] = 'R';
    std::ofstream{file, std::ios::binary} << bytes;
    store.reopen();
    CHECK_FALSE(store.snapshots().find(tenant, "s", 1));
    store.snapshots().put(tenant, "s", 1, taken(5, state));
    CHECK(store.snapshots().find(tenant, "s", 1));
}

TEST_CASE("snapshots: after stop nothing is kept", "[store][snapshots]") {
    store_under_test store{each_backend()};
    store.snapshots().put(tenant, "s", 1, taken(5, "state"));
    store.snapshots().stop();
    store.snapshots().put(tenant, "t", 1, taken(5, "state"));
    CHECK_FALSE(store.snapshots().find(tenant, "s", 1));
    CHECK_FALSE(store.snapshots().find(tenant, "t", 1));
}

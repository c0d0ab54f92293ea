#include "bus/append_bus.hpp"

#include "unit/bus/fixture.hpp"

using namespace flexcore;
using namespace flexcore::test;

namespace {

using answer_box = mailbox<result<bus::append_answer>>;

struct append_world : world {
    bus::allow_all everybody;
    open_gate gate;
    bus::key_registry keys;
    bus::append_bus appends;

    explicit append_world(bus::inline_gate* other = nullptr)
        : appends{*store.log, everybody, other != nullptr ? *other : gate,
                  keys,       metrics,   std::chrono::seconds{1}} {}

    answer_box append(const std::string& stream, const std::string& key = {},
                      const std::string& fingerprint = "f", store::expected_version expected = {},
                      const std::string& principal = {}) {
        bus::raw_append raw;
        raw.request = make_append("ignored", stream,
                                  {{.type = "t.happened", .data = "{}", .tags = {}}}, expected);
        raw.who.principal = principal;
        raw.idempotency_key = key;
        raw.fingerprint = fingerprint;
        raw.render = [this](const store::append_outcome& outcome) {
            rendered.fetch_add(1);
            return "{\"position\":" + std::to_string(outcome.pos) + "}";
        };
        answer_box box;
        appends.append(std::move(raw), box.receiver());
        return box;
    }
    std::atomic<int> rendered{0};
};

}  // namespace

TEST_CASE("appends: what is written is answered with its rendered body, in the caller's tenant") {
    append_world w;
    const auto answer = w.append("s-1").get();
    REQUIRE(answer);
    CHECK(answer->body == R"({"position":1})");
    CHECK(answer->outcome.pos == 1);
    CHECK_FALSE(answer->replayed);
    CHECK(w.store.log->stream("default", "s-1"));
    CHECK_FALSE(w.store.log->stream("ignored", "s-1"));
}

TEST_CASE("appends: a key again gives the first answer, word for word, and writes nothing") {
    append_world w;
    const auto first = w.append("s-1", "route\x1fk").get();
    REQUIRE(first);
    (void)w.append("s-1").get();
    const auto again = w.append("s-1", "route\x1fk").get();
    REQUIRE(again);
    CHECK(again->replayed);
    CHECK(again->body == first->body);
    CHECK(w.store.log->head() == 2);
    CHECK(w.rendered.load() == 2);
}

TEST_CASE("appends: a known key with another request is a conflict, another principal's is not") {
    append_world w;
    REQUIRE(w.append("s-1", "k", "one").get());
    const auto other = w.append("s-1", "k", "two").get();
    REQUIRE_FALSE(other);
    CHECK(other.error().code == bus::bus_errc::idempotency_conflict);
    CHECK(w.append("s-1", "k", "two", {}, "bob").get());
    CHECK(w.store.log->head() == 2);
}

TEST_CASE("appends: a refused append keeps no key") {
    append_world w;
    const store::expected_version exists{.what = store::expected_version::rule::exists};
    const auto refused = w.append("s-1", "k", "f", exists).get();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == store::store_errc::version_conflict);
    REQUIRE(w.append("s-1").get());
    const auto now = w.append("s-1", "k", "f", exists).get();
    REQUIRE(now);
    CHECK_FALSE(now->replayed);
}

TEST_CASE("appends: the same key at once is told that the first still runs") {
    append_world w;
    const auto hold = w.keys.take("default", "a0:k");
    REQUIRE(hold);
    const auto answer = w.append("s-1", "k").get();
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == bus::bus_errc::request_in_progress);
    CHECK(w.store.log->head() == 0);
}

TEST_CASE("appends: of many with one key one writes, the others replay or are told to wait") {
    append_world w;
    std::vector<std::thread> threads;
    std::atomic<int> wrote{0};
    std::atomic<int> others{0};
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 50; ++i) {
                const auto answer = w.append("s-1", "k" + std::to_string(i)).get();
                if (answer && !answer->replayed) {
                    wrote.fetch_add(1);
                } else if (answer || answer.error().code == bus::bus_errc::request_in_progress) {
                    others.fetch_add(1);
                }
            }
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(wrote.load() == 50);
    CHECK(others.load() == 150);
    CHECK(w.store.log->head() == 50);
}

TEST_CASE("appends: a key that is too long is refused") {
    append_world w;
    const auto answer = w.append("s-1", std::string(1'025, 'k')).get();
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == bus::bus_errc::validation_failed);
}

TEST_CASE("appends: the answer waits for inline projections") {
    closed_gate gate;
    append_world w{&gate};
    const auto box = w.append("s-1");
    REQUIRE(eventually([&] { return gate.waiting() == 1; }));
    CHECK(box.empty());
    CHECK(w.store.log->head() == 1);
    gate.open();
    CHECK(box.get());
}

TEST_CASE("appends: keys of two principals never meet, whatever they are made of") {
    append_world w;
    CHECK_FALSE(w.append("s-1", "y\x1fz", "f", {}, "x").get()->replayed);
    CHECK_FALSE(w.append("s-1", "z", "f", {}, "x\x1fy").get()->replayed);
    CHECK_FALSE(w.append("s-1", "1:z", "f", {}, "x").get()->replayed);
    CHECK(w.store.log->head() == 3);
}

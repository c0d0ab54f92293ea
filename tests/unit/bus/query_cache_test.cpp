#include "bus/query_cache_impl.hpp"

#include <catch2/catch.hpp>

using namespace flexcore;
using namespace flexcore::bus;

namespace {

std::shared_ptr<const cached_answer> answer(const change_counters& changes, std::string body,
                                            std::vector<change_counters::slot> read = {}) {
    auto made = std::make_shared<cached_answer>();
    auto what = std::make_shared<query_answer>();
    what->body = std::move(body);
    made->answer = std::move(what);
    made->seen = changes.last();
    made->read = std::move(read);
    return made;
}

}  // namespace

TEST_CASE("query cache: parameters that ask the same are the same") {
    CHECK(canonical_params(R"({"b": [1, 2], "a" : {"y":1, "x": "a b\" c"}})") ==
          canonical_params(R"({"a":{"y":1,"x":"a b\" c"},"b":[1,2]})"));
    CHECK(canonical_params(R"({"a":1})") != canonical_params(R"({"a":1.0})"));
    CHECK(canonical_params(R"({"a":"1 2"})") != canonical_params(R"({"a":"12"})"));
    CHECK(canonical_params(R"({"a":"\\"  ,"b":1})") == R"({"a":"\\","b":1})");
    CHECK(canonical_params("{}") == "{}");
    CHECK(canonical_params(R"({"\u0061":1,"0":2})") == R"({"0":2,"a":1})");
}

TEST_CASE("query cache: an answer is found under its whole key only") {
    change_counters changes;
    query_cache cache{1u << 20, changes};
    const query_key key{1, "t", "ann", "{}"};
    cache.put(key, answer(changes, "x"));
    REQUIRE(cache.find(key));
    CHECK(cache.find(key)->answer->body == "x");
    CHECK_FALSE(cache.find({2, "t", "ann", "{}"}));
    CHECK_FALSE(cache.find({1, "u", "ann", "{}"}));
    CHECK_FALSE(cache.find({1, "t", "", "{}"}));
    CHECK_FALSE(cache.find({1, "t", "ann", "{\"a\":1}"}));
}

TEST_CASE("query cache: an answer ends with a change of what it read, and only then") {
    change_counters changes;
    query_cache cache{1u << 20, changes};
    const query_key key{1, "t", "", "{}"};
    const auto row = change_counters::row_slot("t", "m", "1");
    cache.put(key, answer(changes, "x", {row}));
    changes.bump(change_counters::row_slot("t", "m", "2"));
    CHECK(cache.find(key));
    changes.bump(row);
    CHECK_FALSE(cache.find(key));
    CHECK(cache.bytes() == 0);
}

TEST_CASE("query cache: bounded in bytes, the least recently used goes") {
    change_counters changes;
    query_cache cache{256u << 10, changes};
    const std::string body(1'000, 'x');
    std::vector<std::string> params;
    for (int i = 0; i < 1'000; ++i) params.push_back(R"({"i":)" + std::to_string(i) + "}");
    cache.put({1, "t", "", params[0]}, answer(changes, body));
    for (int i = 1; i < 1'000; ++i) {
        cache.put({1, "t", "", params[static_cast<std::size_t>(i)]}, answer(changes, body));
        REQUIRE(cache.find({1, "t", "", params[0]}));
    }
    CHECK(cache.bytes() <= 256u << 10);
    CHECK(cache.bytes() > 128u << 10);
    CHECK_FALSE(cache.find({1, "t", "", params[1]}));
    CHECK(cache.find({1, "t", "", params[999]}));

    cache.put({1, "t", "", "{}"}, answer(changes, std::string(300u << 10, 'x')));
    CHECK_FALSE(cache.find({1, "t", "", "{}"}));
}

TEST_CASE("query cache: a query that is removed is forgotten, the others stay") {
    change_counters changes;
    query_cache cache{1u << 20, changes};
    cache.put({1, "t", "", "{}"}, answer(changes, "x"));
    cache.put({2, "t", "", "{}"}, answer(changes, "y"));
    cache.put({2, "t", "", "{}"}, answer(changes, "z"));
    cache.forget(1);
    CHECK_FALSE(cache.find({1, "t", "", "{}"}));
    CHECK(cache.find({2, "t", "", "{}"})->answer->body == "z");
    cache.forget(2);
    CHECK(cache.bytes() == 0);
}

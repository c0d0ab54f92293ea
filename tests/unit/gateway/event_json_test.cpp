#include "gateway/event_json.hpp"

#include "gateway/fingerprint.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

namespace {

using namespace flexcore;
using namespace flexcore::gateway;

store::recorded_event example(std::span<const std::string_view> tags) {
    store::recorded_event out;
    out.pos = 1042;
    out.ver = 3;
    out.id = *parse_uuid("0192aaaa-0000-7000-8000-000000000001");
    out.recorded_at = *parse_time("2026-11-22T10:00:00.123456Z");
    out.schema_version = 1;
    out.tenant = "default";
    out.stream = "sales.order-\"\xC3\xA9\\";
    out.type = "sales.order_placed";
    out.data = "{\"x\" : 1.0}";
    out.metadata = "{}";
    out.tags = tags;
    return out;
}

}  // namespace

TEST_CASE("event writer: the object of the contract, payload as its bytes") {
    const std::vector<std::string_view> tags{"customer:1", "b"};
    std::string out;
    append_event(out, example(tags));
    CHECK(out ==
          "{\"position\":1042,\"stream\":\"sales.order-\\\"\xC3\xA9\\\\\",\"version\":3,"
          "\"id\":\"0192aaaa-0000-7000-8000-000000000001\",\"type\":\"sales.order_placed\","
          "\"schema_version\":1,\"data\":{\"x\" : 1.0},\"metadata\":{},"
          "\"tags\":[\"customer:1\",\"b\"],\"tenant\":\"default\","
          "\"recorded_at\":\"2026-11-22T10:00:00.123456Z\"}");
    const auto root = boost::json::parse(out);
    CHECK(root.at("stream") == "sales.order-\"\xC3\xA9\\");
    out.clear();
    append_event(out, example({}));
    CHECK(boost::json::parse(out).at("tags").as_array().empty());
}

TEST_CASE("event writer: a page ends with its cursor or null") {
    store::event_batch batch;
    CHECK(events_page(batch, "") == "{\"items\":[],\"next\":null}");
    batch.events = {example({}), example({})};
    const auto root = boost::json::parse(events_page(batch, "17"));
    CHECK(root.at("items").as_array().size() == 2);
    CHECK(root.at("next") == "17");
}

TEST_CASE("event writer: line breaks between tokens become spaces") {
    std::string out = "a\n";
    append_as_one_line(out, "{\r\n\"x\":\n\"\\n\"}");
    CHECK(out == "a\n{  \"x\": \"\\n\"}");
}

TEST_CASE("fingerprint: depends on every byte and on where one part ends") {
    const std::string one = fingerprint("ab", "c");
    CHECK(one.size() == 64);
    CHECK(one == fingerprint("ab", "c"));
    CHECK(one != fingerprint("a", "bc"));
    CHECK(one != fingerprint("ab", "c "));
}

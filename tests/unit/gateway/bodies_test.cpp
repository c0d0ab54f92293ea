#include "gateway/append_body.hpp"
#include "gateway/body_reader.hpp"
#include "gateway/errc.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace flexcore;
using namespace flexcore::gateway;

/// The pointers of a validation error.
std::vector<std::string> pointers(const error& e) {
    std::vector<std::string> out;
    if (!e.members) return out;
    for (const auto& one : e.members->at("errors").as_array())
        out.emplace_back(one.at("pointer").as_string());
    return out;
}

using texts = std::vector<std::string>;
using rule = store::expected_version::rule;

result<store::append_request> stream_append(std::string body) {
    return read_stream_append(std::move(body), "s-1", 64);
}

}  // namespace

TEST_CASE("append body: events keep their bytes, in every part") {
    auto got = stream_append(R"( {"expected_version": 3, "events": [
        {"id":"0192AAAA-0000-7000-8000-000000000001","type":"a.b","data": {"x" : 1.0},
         "metadata":{"correlation_id":"c"},"tags":["t:1","t:2"],"schema_version":2},
        {"type":"c","data":null}, {"type":"d\u002Fe","data":[ ]}]} )");
    REQUIRE(got);
    REQUIRE(got->appends.size() == 1);
    const store::stream_append& one = got->appends[0];
    CHECK(one.stream == "s-1");
    CHECK((one.expected.what == rule::exact && one.expected.exact == 3));
    REQUIRE(one.events.size() == 3);
    CHECK(one.events[0].id.to_string() == "0192aaaa-0000-7000-8000-000000000001");
    CHECK(one.events[0].type == "a.b");
    CHECK(one.events[0].data == R"({"x" : 1.0})");
    CHECK(one.events[0].metadata == R"({"correlation_id":"c"})");
    REQUIRE(one.events[0].tags.size() == 2);
    CHECK(one.events[0].tags[1] == "t:2");
    CHECK(one.events[0].schema_version == 2);
    CHECK(one.events[1].id.is_nil());
    CHECK(one.events[1].data == "null");
    CHECK(one.events[1].metadata.empty());
    CHECK(one.events[1].tags.empty());
    CHECK(one.events[2].type == "d/e");
    CHECK(one.events[2].data == "[ ]");
    CHECK(got->backing != nullptr);
}

TEST_CASE("append body: expected versions") {
    const auto expected = [](const std::string& text) {
        return stream_append(R"({"expected_version":)" + text +
                             R"(,"events":[{"type":"a","data":1}]})");
    };
    CHECK(expected("\"any\"")->appends[0].expected.what == rule::any);
    CHECK(expected("\"none\"")->appends[0].expected.what == rule::none);
    CHECK(expected("\"exists\"")->appends[0].expected.what == rule::exists);
    CHECK(expected("0")->appends[0].expected.what == rule::none);
    CHECK(expected("9223372036854775807")->appends[0].expected.exact == 9223372036854775807U);
    for (const char* bad : {"-1", "1.5", "1e3", "9223372036854775808", "99999999999999999999999",
                            "\"3\"", "null", "[]", "\"Any\""}) {
        INFO(bad);
        const auto got = expected(bad);
        REQUIRE_FALSE(got);
        CHECK(pointers(got.error()) == texts{"/expected_version"});
    }
}

TEST_CASE("append body: everything wrong is named with its pointer") {
    const auto got = stream_append(
        R"({"evnts":1,"events":[{"type":"","data":1},{"data":1},{"type":"a"},
            {"type":"a","data":1,"colour":2},{"type":"a","data":1,"tags":["x","x"]},
            {"type":"a","data":1,"tags":["",3]},{"type":"a","data":1,"metadata":[]},
            {"type":"a","data":1,"metadata":{"principal":"me","tenant":"t"}},
            {"type":"a","data":1,"id":"no"},{"type":"a","data":1,"schema_version":0},[]]})");
    REQUIRE_FALSE(got);
    CHECK(got.error().code == make_error_code(gateway_errc::validation_failed));
    CHECK(pointers(got.error()) ==
          texts{"/events/0/type", "/events/1/type", "/events/2/data", "/events/3/colour",
                "/events/4/tags/1", "/events/5/tags/0", "/events/5/tags/1", "/events/6/metadata",
                "/events/7/metadata/principal", "/events/7/metadata/tenant", "/events/8/id",
                "/events/9/schema_version", "/events/10", "/evnts"});
}

TEST_CASE("append body: the number of events is bounded") {
    CHECK_FALSE(stream_append(R"({"events":[]})"));
    CHECK_FALSE(stream_append("{}"));
    CHECK_FALSE(stream_append("[]"));
    std::string body = R"({"events":[)";
    for (int i = 0; i < 1001; ++i)
        body += std::string{i == 0 ? "" : ","} + R"({"type":"a","data":1})";
    CHECK_FALSE(stream_append(body + "]}"));
}

TEST_CASE("append body: what is not JSON is refused as such") {
    std::string deep(100'000, '[');
    for (const std::string& bad :
         {std::string{}, std::string{"{"}, deep, std::string{"\xFF"},
          std::string{R"({"events":[],"events":[]})"},
          std::string{R"({"events":[{"type":"a","data":{"x":1,"x":1}}]})"}}) {
        const auto got = stream_append(bad);
        REQUIRE_FALSE(got);
        CHECK(got.error().code == make_error_code(base_errc::invalid_json));
    }
}

TEST_CASE("append body: several streams, with a condition") {
    auto got = read_append(
        R"({"appends":[{"stream":"a","expected_version":"none","events":[{"type":"x","data":1}]},
                       {"stream":"b\u00e9","events":[]}],
            "condition":{"none_match":[{"types":["x"],"tags":["t"]},{"stream_prefix":"p"}],"after":"12"}})",
        64);
    REQUIRE(got);
    REQUIRE(got->appends.size() == 2);
    CHECK(got->appends[0].stream == "a");
    CHECK(got->appends[0].events.size() == 1);
    CHECK(got->appends[1].stream == "b\xC3\xA9");
    CHECK(got->appends[1].events.empty());
    REQUIRE(got->condition);
    CHECK(got->condition->after == 12);
    REQUIRE(got->condition->none_match.size() == 2);
    CHECK(got->condition->none_match[0].types == texts{"x"});
    CHECK(got->condition->none_match[0].tags == texts{"t"});
    CHECK(got->condition->none_match[1].stream_prefix == "p");
}

TEST_CASE("append body: several streams, what is refused") {
    const auto refused = [](std::string body) {
        const auto got = read_append(std::move(body), 64);
        return got ? texts{"fine"} : pointers(got.error());
    };
    CHECK(refused(R"({"appends":[]})") == texts{"/appends"});
    CHECK(refused(R"({"appends":[{"stream":"a","events":[]}]})") == texts{"/appends"});
    CHECK(refused(R"({"appends":[{"stream":"a","events":[{"type":"x","data":1}]},
                                 {"stream":"a","events":[]}]})") == texts{"/appends/1/stream"});
    CHECK(refused(R"({"appends":[{"stream":"","events":[{"type":"x","data":1}]}]})") ==
          texts{"/appends/0/stream"});
    CHECK(refused(R"({"appends":[{"stream":"a\u0000","events":[{"type":"x","data":1}]}]})") ==
          texts{"/appends/0/stream"});
    CHECK(refused(R"({"appends":[{"stream":")" + std::string(1025, 'a') +
                  R"(","events":[{"type":"x","data":1}]}]})") == texts{"/appends/0/stream"});
    const std::string events = R"({"appends":[{"stream":"a","events":[{"type":"x","data":1}]}],)";
    CHECK(refused(events + R"("condition":{}})") == texts{"/condition/none_match"});
    CHECK(refused(events + R"("condition":{"none_match":[]}})") == texts{"/condition/none_match"});
    CHECK(refused(events + R"("condition":{"none_match":{},"after":-1}})") ==
          texts{"/condition/after"});
    CHECK(refused(events + R"("condition":{"none_match":{"type":["x"]}}})") ==
          texts{"/condition/none_match/type"});
    CHECK(refused(events + R"("condition":{"none_match":{"types":"x"}}})") ==
          texts{"/condition/none_match/types"});
}

TEST_CASE("append body: a bulk line is one atomic append") {
    auto got = read_append_line(
        R"({"stream":"a","expected_version":"exists","events":[{"type":"x","data":1}]})", 64);
    REQUIRE(got);
    CHECK(got->appends[0].stream == "a");
    CHECK(got->appends[0].expected.what == rule::exists);
    CHECK_FALSE(read_append_line(R"({"events":[{"type":"x","data":1}]})", 64));
    CHECK_FALSE(read_append_line(R"({"stream":"a","events":[]})", 64));
}

TEST_CASE("body reader: an unknown member is named with the nearest right one") {
    const auto root = json::parse(R"({"positon":1,"a/b":2})");
    REQUIRE(root);
    findings found;
    object_reader from{*root, "", found};
    CHECK_FALSE(from.take("position"));
    from.finish();
    const error e = found.to_error();
    CHECK(pointers(e) == texts{"/positon", "/a~1b"});
    CHECK(e.members->at("errors").at(0).at("detail").as_string() ==
          "is unknown here; did you mean \"position\"?");
}

TEST_CASE("body reader: no more is said than anybody reads") {
    std::string text = "{";
    for (int i = 0; i < 1000; ++i) text += (i == 0 ? "\"m" : ",\"m") + std::to_string(i) + "\":1";
    const auto root = json::parse(text += '}');
    REQUIRE(root);
    findings found;
    object_reader from{*root, "", found};
    from.finish();
    CHECK(found.full());
    CHECK(pointers(found.to_error()).size() == 20);
}

TEST_CASE("body reader: a position is an integer or its string form") {
    const auto position = [](const char* text) { return read_position(*json::parse(text)); };
    CHECK(position("12") == 12U);
    CHECK(position("\"12\"") == 12U);
    for (const char* bad :
         {"-1", "1.0", "\"-1\"", "\"\"", "\"1x\"", "9223372036854775808", "null"}) {
        INFO(bad);
        CHECK_FALSE(position(bad));
    }
}

#include "gateway/errc.hpp"
#include "gateway/header_values.hpp"
#include "gateway/output_queue.hpp"
#include "gateway/query_args.hpp"
#include "gateway/where_args.hpp"

#include <catch2/catch.hpp>

#include <array>

namespace {

using namespace flexcore;
using namespace flexcore::gateway;

resolved_target target(const std::string& query) {
    resolved_target out;
    out.args = *decode_query(query);
    return out;
}

}  // namespace

TEST_CASE("header values: media types") {
    CHECK(parse_media_type("application/json").essence == "application/json");
    CHECK(parse_media_type("Application/JSON ; Charset=\"UTF-8\"").essence == "application/json");
    CHECK(parse_media_type("Application/JSON ; Charset=\"UTF-8\"").charset == "utf-8");
    CHECK(parse_media_type("application/json;charset=latin1;x=y").charset == "latin1");
    for (const char* bad : {"", "json", "/json", "application/", ";charset=utf-8"})
        CHECK(parse_media_type(bad).essence.empty());
}

TEST_CASE("header values: If-None-Match") {
    CHECK(etag_matches("\"a\"", "\"a\""));
    CHECK(etag_matches("\"b\" , W/\"a\"", "\"a\""));
    CHECK(etag_matches("\"a\"", "W/\"a\""));
    CHECK(etag_matches("W/\"a\"", "W/\"a\""));
    CHECK_FALSE(etag_matches("W/\"b\"", "W/\"a\""));
    CHECK(etag_matches("*", "\"a\""));
    CHECK_FALSE(etag_matches("\"b\"", "\"a\""));
    CHECK_FALSE(etag_matches("", "\"a\""));
    CHECK_FALSE(etag_matches("a", "\"a\""));
}

TEST_CASE("header values: traceparent") {
    const std::string good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    CHECK(is_traceparent(good));
    CHECK(trace_id_of(good) == "4bf92f3577b34da6a3ce929d0e0e4736");
    CHECK(is_traceparent("01" + good.substr(2) + "-more"));
    for (const std::string& bad :
         {good + "x", good.substr(1), std::string{"ff"} + good.substr(2),
          std::string{"00-00000000000000000000000000000000-00f067aa0ba902b7-01"},
          std::string{"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"},
          std::string{"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"}}) {
        INFO(bad);
        CHECK_FALSE(is_traceparent(bad));
    }
}

TEST_CASE("header values: tracestate is passed on whole or not at all") {
    CHECK(continued_tracestate("").empty());
    CHECK(continued_tracestate("a=1") == "a=1");
    CHECK(continued_tracestate(" a=1 ,\tb@c=x y,, d=~") == "a=1,b@c=x y,d=~");
    for (const std::string& bad :
         {std::string{"a"}, std::string{"=1"}, std::string{"a="}, std::string{"a b=1"},
          std::string{"a=\x01"}, std::string{"a=\xc3\xa4"}, std::string{"a=1,b"}}) {
        INFO(bad);
        CHECK(continued_tracestate(bad).empty());
    }
    std::string many;
    for (int i = 0; i < 32; ++i) many += "k" + std::to_string(i) + "=1,";
    CHECK_FALSE(continued_tracestate(many).empty());
    CHECK(continued_tracestate(many + "k=1").empty());
    // Beyond 512 bytes members go from the right.
    const std::string wide = "a=" + std::string(250, 'x');
    CHECK(continued_tracestate(wide + "," + wide + "," + wide + ",b=1") == wide + "," + wide);
}

TEST_CASE("query arguments: numbers, limits, positions and times have their bounds") {
    CHECK(*limit_arg(target("")) == 100);
    CHECK(*limit_arg(target("limit=1000")) == 1000);
    for (const char* bad : {"limit=0", "limit=1001", "limit=-1", "limit=", "limit=1x", "limit=1.0",
                            "limit=99999999999999999999999", "limit=+1"}) {
        INFO(bad);
        const auto got = limit_arg(target(bad));
        REQUIRE_FALSE(got);
        CHECK(got.error().code == make_error_code(gateway_errc::bad_request));
        CHECK(got.error().client.find("\"limit\"") != std::string::npos);
    }
    CHECK(**position_arg(target("after=12"), "after") == 12);
    CHECK_FALSE(position_arg(target(""), "after")->has_value());
    for (const char* bad : {"after=", "after=-1", "after=x", "after=9223372036854775808"})
        CHECK_FALSE(position_arg(target(bad), "after"));
    CHECK(**time_arg(target("since=2026-11-22T10:00:00+02:00"), "since") ==
          *parse_time("2026-11-22T08:00:00Z"));
    CHECK_FALSE(time_arg(target("since=yesterday"), "since"));
    CHECK(*direction_arg(target("direction=backward")) == store::direction::backward);
    CHECK_FALSE(direction_arg(target("direction=up")));
    CHECK_FALSE(freshness_args(target("wait_ms=30001")));
    CHECK(freshness_args(target("min_position=7&wait_ms=0"))->min_position == 7);
}

TEST_CASE("query arguments: a filter of the log") {
    const auto filter = log_filter_args(
        target("types=a,b&tags=x&categories=c&stream_prefix=p-&since=2026-01-01T00:00:00Z"), "t1");
    REQUIRE(filter);
    CHECK(filter->tenant == "t1");
    REQUIRE(filter->what.size() == 1);
    CHECK(filter->what[0].types == std::vector<std::string>{"a", "b"});
    CHECK(filter->what[0].tags == std::vector<std::string>{"x"});
    CHECK(filter->what[0].stream_prefix == "p-");
    CHECK(filter->since.has_value());
    CHECK(log_filter_args(target(""), "t1")->what.empty());
    for (const char* bad : {"types=", "types=a,", "tags=%20", "stream_prefix="})
        CHECK_FALSE(log_filter_args(target(bad), "t1"));
}

TEST_CASE("where arguments: fields, operators, values and order") {
    const auto args = read_scan_args(
        target("where[country]=France&where[total][ge]=10&where[open]=true&where[name]=%2217%22&"
               "where[rate][lt]=1.5&order=-total,name&limit=5&after=c&min_position=1"));
    REQUIRE(args);
    const auto& where = args->scan.where;
    REQUIRE(where.size() == 5);
    CHECK((where[0].field == "country" && where[0].op == store::compare::eq));
    CHECK(std::get<std::string>(where[0].value) == "France");
    CHECK((where[1].op == store::compare::ge && std::get<std::int64_t>(where[1].value) == 10));
    CHECK(std::get<bool>(where[2].value));
    CHECK(std::get<std::string>(where[3].value) == "17");
    CHECK(std::get<double>(where[4].value) == 1.5);
    CHECK(args->ambiguous == std::vector<bool>{false, true, true, false, true});
    CHECK(args->texts[1] == "10");
    REQUIRE(args->scan.order.size() == 2);
    CHECK((args->scan.order[0].field == "total" && args->scan.order[0].descending));
    CHECK((args->scan.order[1].field == "name" && !args->scan.order[1].descending));
    CHECK(args->scan.limit == 5);
    CHECK(args->scan.after == "c");
    for (const char* bad :
         {"where[]=1", "where[a", "where[a]x=1", "where[a][like]=1", "order=", "order=a,",
          "limit=0", "wher[a]=1", "where=1", "where[a]=1&where[a]=2"}) {
        INFO(bad);
        CHECK_FALSE(read_scan_args(target(bad)));
    }
}

TEST_CASE("output queue: bytes leave in order, whatever pieces they came in and go in") {
    std::string expected;
    output_queue queue;
    auto large = std::make_shared<const std::string>(10'000, 'L');
    for (int i = 0; i < 40; ++i) {
        const std::string small = "<" + std::to_string(i) + ">";
        queue.append(std::string_view{small});
        expected += small;
        if (i % 3 == 0) {
            queue.append(large, *large);
            expected += *large;
        }
        if (i % 7 == 0) {
            queue.append(std::string(5000, 'o'));
            expected += std::string(5000, 'o');
        }
        std::string& tail = queue.tail();
        tail += "tail";
        queue.grown(4);
        expected += "tail";
    }
    CHECK(queue.bytes() == expected.size());
    std::string got;
    for (std::size_t step = 1; !queue.empty(); step = step * 2 % 4099) {
        std::array<std::string_view, 3> pieces;
        const std::size_t count = queue.gather(pieces);
        REQUIRE(count > 0);
        std::string offered;
        for (std::size_t i = 0; i < count; ++i) offered += pieces[i];
        const std::size_t sent = std::min(step, offered.size());
        got += offered.substr(0, sent);
        queue.consume(sent);
    }
    CHECK(got == expected);
}

TEST_CASE("request: a large body's memory is not kept for the next request") {
    request one;
    one.body.assign(1'000'000, 'x');
    one.clear();
    CHECK(one.body.empty());
    CHECK(one.body.capacity() <= 4096);
}

#include "program.hpp"
#include "support/server.hpp"

#include <catch2/catch.hpp>

#include <boost/json/parse.hpp>

#include <csignal>

using namespace flexcore::test;

namespace {

std::string increments(int lines, int counters) {
    std::string text;
    for (int i = 0; i < lines; ++i)
        text += R"({"type":"counter.increment","id":"c)" + std::to_string(i % counters) +
                R"(","data":{"by":1}})" + "\n";
    return text;
}

}  // namespace

TEST_CASE("cli bulk: accepted and wrong lines are counted by reason, wrong ones are exit code 1") {
    server s{{.plugins = {"counter"}}};
    const std::string lines = increments(300, 7) +
                              R"({"type":"counter.increment","id":"c0","data":{"by":0}})"
                              "\n"
                              R"({"type":"counter.nothing","id":"c0","data":{}})"
                              "\n"
                              R"({"type":"counter.increment","id":"c0","data":{},"odd":1})"
                              "\n"
                              "{broken\n";
    const auto sent =
        cli({"command", "send", "--file", "-", "--concurrency", "3", "--json", "--url", s.url()},
            lines);
    INFO(sent.err);
    INFO(sent.out);
    CHECK(sent.code == 1);
    const auto summary = boost::json::parse(sent.out);
    CHECK(summary.at("accepted") == 300);
    CHECK(summary.at("refused") == 0);
    CHECK(summary.at("invalid") == 4);
    CHECK(summary.at("failed") == 0);
    const auto& reasons = summary.at("invalid_by_reason");
    CHECK(reasons.at("validation_failed").at("first_line") == 301);
    CHECK(reasons.at("not_found").at("first_line") == 302);
    CHECK(reasons.at("validation_failed").at("count") == 2);  // the unknown member is the other
    CHECK(reasons.at("invalid_line").at("first_line") == 304);
    const auto allowed =
        cli({"command", "send", "--file", "-", "--allow-refused", "--url", s.url()}, lines);
    CHECK(allowed.code == 1);  // that is for what the domain refuses
    CHECK(contains(allowed.out, "accepted  300"));
    CHECK(contains(allowed.out, "validation_failed"));
    CHECK(contains(allowed.err,
                   "4 lines cannot be taken as they stand, which --allow-refused does not excuse: "
                   "line 301: "));
    const auto value = s.http("GET", "/v1/queries/counter.value?id=c0&min_position=600");
    REQUIRE(value.status == 200);
    CHECK(value.json().at("data").at("value") == 2 * 43);
}

TEST_CASE("cli bulk: --allow-refused excuses what depends on how things stand, nothing else") {
    server s{{.plugins = {"orders"}}};
    const auto send = [&](const std::string& lines, bool allow) {
        std::vector<std::string> args{"command", "send",   "--file", "-",
                                      "--quiet", "--json", "--url",  s.url()};
        if (allow) args.emplace_back("--allow-refused");
        return cli(std::move(args), lines);
    };
    const std::string refused = R"({"type":"sales.cancel_order","id":"none","data":{"reason":"r"}})"
                                "\n";
    CHECK(send(refused, false).code == 1);
    const auto excused = send(refused, true);
    INFO(excused.out << excused.err);
    CHECK(excused.code == 0);
    CHECK(boost::json::parse(excused.out).at("refused") == 1);
    CHECK(excused.err.empty());
    const auto broken = send(refused + "no JSON\n", true);
    CHECK(broken.code == 1);
    CHECK(contains(broken.err, "line 2: "));
    CHECK(boost::json::parse(broken.out).at("invalid") == 1);
    CHECK(send(R"({"type":"sales.nothing","id":"x"})"
               "\n",
               true)
              .code == 1);
}

TEST_CASE("cli bulk: a line without data is sent as {}, as without --data") {
    server s{{.plugins = {"counter"}}};
    const auto sent = cli({"command", "send", "--file", "-", "--make-ids", "--url", s.url()},
                          R"({"type":"counter.increment","id":"c"})"
                          "\n");
    INFO(sent.out << sent.err);
    CHECK(sent.code == 0);
    CHECK(contains(sent.out, "accepted  1"));
}

TEST_CASE("cli bulk: with ids a server that is killed and restarted gets every command once") {
    const std::uint16_t port = free_port();
    server s{{.plugins = {"counter"}, .port = port}};
    const temp_folder folder;
    write_file(folder / "lines", increments(20'000, 11));
    process sending{flexcore_program(),
                    {{"command", "send", "--file", (folder / "lines").string(), "--make-ids",
                      "--batch", "20", "--json", "--url", s.url()},
                     {},
                     {},
                     {}}};
    REQUIRE(wait_until([&] {
        const auto head = s.http("GET", "/v1/events?direction=backward&limit=1").json();
        const auto& items = head.at("items").as_array();
        return !items.empty() && items.front().at("position").to_number<int>() > 500;
    }));
    REQUIRE(sending.running());
    s.kill_hard();
    s.start();
    const auto end = sending.wait(std::chrono::seconds{120});
    REQUIRE(end);
    INFO(sending.err());
    INFO(sending.out());
    CHECK(end->code == 0);
    const auto summary = boost::json::parse(sending.out());
    CHECK(summary.at("accepted") == 20'000);
    CHECK(summary.at("again").to_number<int>() > 0);
    const auto head = s.http("GET", "/v1/events?direction=backward&limit=1").json();
    CHECK(head.at("items").at(0).at("position") == 20'000);
}

TEST_CASE("cli bulk: a file that cannot be read is said") {
    server s;
    const auto missing = cli({"command", "send", "--file", "/nowhere", "--url", s.url()});
    CHECK(missing.code == 2);
    CHECK(contains(missing.err, "/nowhere"));
}

TEST_CASE("cli bulk: a server that is gone for good is given up, the rest counts as failed") {
    server s{{.plugins = {"counter"}}};
    const temp_folder folder;
    write_file(folder / "lines", increments(200'000, 11));
    process sending{flexcore_program(),
                    {{"command", "send", "--file", (folder / "lines").string(), "--batch", "10",
                      "--retry-for", "0.5", "--json", "--url", s.url()},
                     {},
                     {},
                     {}}};
    REQUIRE(wait_until([&] {
        return !s.http("GET", "/v1/events?limit=1").json().at("items").as_array().empty();
    }));
    s.kill_hard();
    const auto end = sending.wait();
    REQUIRE(end);
    CHECK(end->code == 1);
    const auto summary = boost::json::parse(sending.out());
    CHECK(summary.at("stopped") == true);
    CHECK(summary.at("accepted").to_number<int>() + summary.at("failed").to_number<int>() ==
          summary.at("sent").to_number<int>());
    CHECK(summary.at("failed_by_reason").as_object().contains("unreachable"));
}

TEST_CASE("cli bulk: Ctrl-C stops in order and says what was sent, exit code 130") {
    server s{{.plugins = {"counter"}}};
    const temp_folder folder;
    write_file(folder / "lines", increments(500'000, 11));
    process sending{flexcore_program(),
                    {{"command", "send", "--file", (folder / "lines").string(), "--batch", "10",
                      "--json", "--url", s.url()},
                     {},
                     {},
                     {}}};
    REQUIRE(wait_until([&] {
        return !s.http("GET", "/v1/events?limit=1").json().at("items").as_array().empty();
    }));
    sending.signal(SIGINT);
    const auto end = sending.wait();
    REQUIRE(end);
    CHECK(end->code == 130);
    const auto summary = boost::json::parse(sending.out());
    CHECK(summary.at("stopped") == true);
    const auto head = s.http("GET", "/v1/events?direction=backward&limit=1").json();
    // What was under way has got its answer: nothing is in the log that was not counted.
    CHECK(head.at("items").at(0).at("position") == summary.at("accepted"));
}

TEST_CASE("cli bulk: --expected-version holds for lines without their own") {
    server s;
    const std::string lines =
        R"({"stream":"a","events":[{"type":"t","data":1}]})"
        "\n"
        R"({"stream":"a","events":[{"type":"t","data":2}]})"
        "\n"
        R"({"stream":"a","expected_version":1,"events":[{"type":"t","data":3}]})"
        "\n"
        R"({"stream":"b","events":[{"type":"t","data":4}]})"
        "\n";
    const auto sent = cli({"events", "append", "--file", "-", "--expected-version", "none",
                           "--json", "--url", s.url()},
                          lines);
    INFO(sent.out);
    CHECK(sent.code == 1);
    const auto summary = boost::json::parse(sent.out);
    CHECK(summary.at("accepted") == 3);
    CHECK(summary.at("refused_by_reason").at("version_conflict").at("first_line") == 2);
}

TEST_CASE("cli bulk: with a stream and --expected-version a file is one append, all or nothing") {
    server s;
    std::string events;
    for (int i = 1; i <= 120; ++i) events += R"({"type":"t","data":)" + std::to_string(i) + "}\n\n";
    const auto append = [&](const std::string& version, const std::string& lines) {
        return cli({"events", "append", "one", "--file", "-", "--expected-version", version,
                    "--url", s.url()},
                   lines);
    };
    const auto first = append("none", events);
    INFO(first.err);
    CHECK(first.code == 0);
    CHECK(contains(first.out, "one is at version 120"));
    for (const char* stale : {"none", "119"}) {
        const auto refused = append(stale, events);
        CHECK(refused.code == 1);
        CHECK(contains(refused.err, "version_conflict"));
    }
    CHECK(append("120", events).code == 0);
    CHECK(append("exists", events).code == 0);
    const auto broken = append("360", events + "{broken\n");
    CHECK(broken.code == 2);
    CHECK(contains(broken.err, "line 241"));
    CHECK(append("360", events + R"({"type":"not a name"})").code == 1);
    CHECK(append("360", "\n").code == 1);
    const auto page = s.http("GET", "/v1/streams/one/events?limit=1&direction=backward").json();
    CHECK(page.at("items").at(0).at("version") == 360);
}

TEST_CASE("cli bulk: appends of many streams, or events of one") {
    server s;
    std::string lines;
    for (int i = 0; i < 100; ++i)
        lines += R"({"stream":"notes-)" + std::to_string(i % 5) +
                 R"(","events":[{"type":"note.added","data":)" + std::to_string(i) + "}]}\n";
    const auto many = cli({"events", "append", "--file", "-", "--url", s.url()}, lines);
    INFO(many.err);
    INFO(many.out);
    CHECK(many.code == 0);
    CHECK(contains(many.out, "accepted  100"));
    std::string events;
    for (int i = 0; i < 50; ++i)
        events += R"({"type":"note.added","data":)" + std::to_string(i) + "}\n";
    const auto one = cli({"events", "append", "one", "--file", "-", "--url", s.url()}, events);
    CHECK(one.code == 0);
    const auto read = cli({"events", "read", "--stream", "one", "--json", "--url", s.url()});
    REQUIRE(read.code == 0);
    const auto kept = json_lines(read.out);
    REQUIRE(kept.size() == 50);
    for (std::size_t i = 0; i < 50; ++i) CHECK(kept[i].at("data") == i);
}

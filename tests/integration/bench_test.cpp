// flexcore bench: every kind runs, says what it writes, and refuses what it must.
#include "program.hpp"
#include "support/server.hpp"

#include <csignal>

#include <catch2/catch.hpp>

#include <boost/json/parse.hpp>

using namespace flexcore::test;

namespace {

finished bench(const server& s, std::vector<std::string> args) {
    args.insert(args.begin(), "bench");
    args.insert(args.end(), {"--url", s.url()});
    return cli(std::move(args));
}

boost::json::value figures(const server& s, std::vector<std::string> args) {
    args.insert(args.end(), {"--seconds", "0.3", "--connections", "8", "--quiet", "--json"});
    const auto done = bench(s, std::move(args));
    INFO(done.err);
    REQUIRE(done.code == 0);
    return boost::json::parse(done.out);
}

}  // namespace

TEST_CASE("bench: each kind measures and gives rate, latencies and errors") {
    server s{{.plugins = {"counter", "echo"}}};
    for (const std::vector<std::string>& args : {std::vector<std::string>{"commands"},
                                                 {"commands", "--hot", "--threads", "2"},
                                                 {"commands", "--rate", "200"},
                                                 {"queries"},
                                                 {"append", "--events", "3"},
                                                 {"propagation", "--rate", "300"},
                                                 {"plugin", "--bytes", "10"}}) {
        INFO(args.front());
        const auto got = figures(s, args);
        CHECK(got.at("bench").as_string() == args.front());
        CHECK(got.at("count").to_number<int>() > 0);
        CHECK(got.at("per_s").to_number<double>() > 0);
        CHECK(got.at("p50_ms").to_number<double>() <= got.at("p95_ms").to_number<double>());
        CHECK(got.at("p95_ms").to_number<double>() <= got.at("p99_ms").to_number<double>());
        CHECK(got.at("errors") == 0);
        CHECK(got.at("writes").is_string());
    }
    // It wrote what it said, and nothing else.
    const auto streams = s.http("GET", "/v1/streams?limit=1000").json();
    for (const auto& stream : streams.at("items").as_array()) {
        const std::string name{stream.at("stream").as_string()};
        CHECK((name.starts_with("bench-") || name.starts_with("counter-bench-")));
    }
}

TEST_CASE("bench: --connections is obeyed, and its help names what each kind takes without it") {
    server s;
    for (const char* kind : {"append", "propagation"}) {
        const auto got = bench(s, {kind, "--seconds", "0.2", "--quiet", "--json", "--connections",
                                   "20", "--rate", "200"});
        INFO(got.err);
        REQUIRE(got.code == 0);
        CHECK(boost::json::parse(got.out).at("connections") == 20);
        const auto left_out =
            bench(s, {kind, "--seconds", "0.2", "--quiet", "--json", "--rate", "200"});
        REQUIRE(left_out.code == 0);
        const auto number =
            boost::json::parse(left_out.out).at("connections").to_number<std::uint64_t>();
        CHECK(contains(cli({"bench", kind, "--help"}).out,
                       "Kept open (default " + std::to_string(number) + ")"));
    }
}

TEST_CASE("bench: refusals are counted by their code") {
    server s{{.plugins = {"counter"}}};
    const auto got = bench(s, {"commands", "--type", "counter.increment", "--data", R"({"by":0})",
                               "--seconds", "0.1", "--json", "--quiet"});
    CHECK(got.code == 1);
    const auto answer = boost::json::parse(got.out);
    CHECK(answer.at("count") == 0);
    CHECK(answer.at("errors_by_code").at("validation_failed").to_number<int>() > 0);
    CHECK(answer.at("errors") == answer.at("errors_by_code").at("validation_failed"));
}

TEST_CASE("bench: commands go to the ids that are asked for") {
    server s{{.plugins = {"counter"}}};
    const auto got = figures(s, {"commands", "--id-prefix", "mine-", "--keys", "3"});
    CHECK(contains(got.at("writes").as_string(), "the ids mine-0 to mine-2"));
    CHECK(got.at("errors") == 0);
    CHECK(s.http("GET", "/v1/streams?limit=1000").json().at("items").as_array().size() == 3);
    CHECK(bench(s, {"commands", "--id-prefix", "$(n)"}).code == 2);
    CHECK(contains(cli({"bench", "commands", "--help"}).out, "bench-0 to bench-9999"));
}

TEST_CASE("bench: without its plugin it says how to load it, and the line works") {
    server s;
    const auto refused = bench(s, {"commands"});
    CHECK(refused.code == 1);
    const auto at = refused.err.find("flexcore plugins load ");
    REQUIRE(at != std::string::npos);
    const auto line = refused.err.substr(at + 9, refused.err.find('\n', at) - at - 9);
    const auto loaded =
        run("/bin/sh", {{"-c", "'" + flexcore_program().string() + "' " + line}, {}, {}, {}});
    INFO(loaded.err);
    CHECK(loaded.code == 0);
    CHECK(figures(s, {"commands"}).at("errors") == 0);
    CHECK(contains(bench(s, {"plugin"}).err, "plugins load"));
    CHECK(contains(bench(s, {"queries", "--name", "nothing"}).err, "`flexcore queries` lists"));
}

TEST_CASE("bench: another machine is left alone unless a flag says so") {
    const auto refused = cli({"bench", "append", "--url", "http://192.0.2.1:80"});
    CHECK(refused.code == 2);
    CHECK(contains(refused.err, "--allow-remote"));
    const auto gone = cli(
        {"bench", "append", "--url", "http://127.0.0.1:" + std::to_string(free_port()), "--json"});
    CHECK(gone.code == 1);
    CHECK(boost::json::parse(gone.out).at("code") == "unreachable");
}

TEST_CASE("bench: Ctrl-C ends it early and gives what was measured") {
    server s;
    process running{
        flexcore_program(),
        {{"bench", "append", "--seconds", "600", "--quiet", "--url", s.url()}, {}, {}, {}}};
    REQUIRE(wait_until([&] {
        const auto items =
            s.http("GET", "/v1/events?direction=backward&limit=1").json().at("items");
        return !items.as_array().empty();
    }));
    running.signal(SIGINT);
    const auto end = running.wait();
    REQUIRE(end);
    CHECK(end->code == 130);
    CHECK(contains(running.out(), "appends/s"));
}

TEST_CASE("bench: a server that goes away ends it") {
    server s;
    process running{
        flexcore_program(),
        {{"bench", "append", "--seconds", "600", "--quiet", "--url", s.url()}, {}, {}, {}}};
    REQUIRE(wait_until([&] {
        const auto items =
            s.http("GET", "/v1/events?direction=backward&limit=1").json().at("items");
        return !items.as_array().empty();
    }));
    s.kill_hard();
    const auto end = running.wait();
    REQUIRE(end);
    CHECK(contains(running.out(), "connection_lost"));
}

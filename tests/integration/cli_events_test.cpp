#include "program.hpp"
#include "support/server.hpp"

#include <catch2/catch.hpp>

#include <boost/json/parse.hpp>

#include <csignal>

using namespace flexcore::test;

namespace {

void append(const server& s, const std::string& stream, int n) {
    const auto reply = s.http("POST", "/v1/streams/" + stream + "/events",
                              R"({"events":[{"type":"note.added","data":)" + std::to_string(n) +
                                  R"(,"tags":["n:)" + std::to_string(n) + R"("]}]})");
    REQUIRE(reply.status == 201);
}

}  // namespace

TEST_CASE("cli events: append, with conditions, tags and ids") {
    server s;
    const auto run_append = [&](std::vector<std::string> args) {
        args.insert(args.begin(), {"events", "append", "notes-1", "--type", "note.added"});
        args.insert(args.end(), {"--url", s.url()});
        return cli(std::move(args));
    };
    const auto first = run_append({"--data", R"({"text":"hi"})", "--expected-version", "none",
                                   "--tag", "a", "--tag", "b", "--metadata", R"({"m":1})"});
    INFO(first.err);
    CHECK(first.code == 0);
    CHECK(contains(first.out, "notes-1 is at version 1, position 1"));
    const auto conflict = run_append({"--expected-version", "none"});
    CHECK(conflict.code == 1);
    CHECK(contains(conflict.err, "version_conflict"));
    for (int i = 0; i < 2; ++i)
        CHECK(run_append({"--id", "0192a4b0-0000-7000-8000-000000000001"}).code == 0);
    const auto event = s.http("GET", "/v1/streams/notes-1/events").json().at("items");
    REQUIRE(event.as_array().size() == 2);
    CHECK(event.at(0).at("tags") == boost::json::parse(R"(["a","b"])"));
    CHECK(event.at(0).at("metadata").at("m") == 1);
    CHECK(event.at(0).at("data").at("text") == "hi");
}

TEST_CASE("cli events: read pages through everything, forward, backward and filtered") {
    server s;
    std::string lines;
    for (int i = 1; i <= 2'500; ++i)
        lines += R"({"stream":"notes-)" + std::to_string(i % 2) + R"(","events":[{"type":")" +
                 (i % 100 == 0 ? "rare" : "common") + R"(","data":)" + std::to_string(i) + "}]}\n";
    REQUIRE(cli({"events", "append", "--file", "-", "--quiet", "--url", s.url()}, lines).code == 0);
    const auto read = [&](std::vector<std::string> args) {
        args.insert(args.begin(), {"events", "read"});
        args.insert(args.end(), {"--url", s.url()});
        const auto done = cli(std::move(args));
        INFO(done.err);
        REQUIRE(done.code == 0);
        return done;
    };
    const auto all = json_lines(read({"--all", "--json"}).out);
    REQUIRE(all.size() == 2'500);
    for (std::size_t i = 0; i < all.size(); ++i) REQUIRE(all[i].at("position") == i + 1);
    const auto backward = json_lines(read({"--backward", "--limit", "1500", "--json"}).out);
    REQUIRE(backward.size() == 1'500);
    CHECK(backward.front().at("position") == 2'500);
    CHECK(backward.back().at("position") == 1'001);
    CHECK(json_lines(read({"--types", "rare", "--all", "--json"}).out).size() == 25);
    CHECK(json_lines(read({"--types", "rare", "--limit", "10", "--json"}).out).size() == 10);
    CHECK(json_lines(read({"--stream", "notes-1", "--all", "--json"}).out).size() == 1'250);
    const auto text = read({"--limit", "3"});
    CHECK(count_of(text.out, "\n") == 3);
    CHECK(contains(text.out, "notes-1@1  common  1"));
    CHECK(contains(text.err, "more: --after 3"));
    const auto missing = cli({"events", "read", "--stream", "nothing", "--url", s.url()});
    CHECK(missing.code == 1);
    CHECK(contains(missing.err, "stream_not_found"));
}

TEST_CASE("cli events: tail follows, and goes on after the server was stopped and killed") {
    server s{{.port = free_port()}};
    append(s, "before", 1);
    process tail{flexcore_program(), {{"events", "tail", "--json", "--url", s.url()}, {}, {}, {}}};
    // "now" is where the log ends when tail has asked: events from then on are its own.
    int sent = 1;
    REQUIRE(wait_until([&] {
        append(s, "notes", ++sent);
        return !tail.out().empty();
    }));
    const auto last_seen = [&] {
        const auto lines = json_lines(tail.out().substr(0, tail.out().rfind('\n') + 1));
        return lines.empty() ? 0 : lines.back().at("data").to_number<int>();
    };
    REQUIRE(wait_until([&] { return last_seen() == sent; }));
    REQUIRE(s.stop());
    s.start();
    append(s, "notes", ++sent);
    CHECK(wait_until([&] { return last_seen() == sent; }));
    append(s, "notes", ++sent);
    s.kill_hard();
    s.start();
    append(s, "notes", ++sent);
    CHECK(wait_until([&] { return last_seen() == sent; }));
    CHECK(contains(tail.err(), "connection lost"));
    tail.signal(SIGINT);
    REQUIRE(tail.wait());
    INFO(tail.err());
    INFO(tail.out());
    const auto lines = json_lines(tail.out());
    const int first = lines.front().at("data").to_number<int>();
    CHECK(first >= 2);
    REQUIRE(lines.size() == static_cast<std::size_t>(sent - first + 1));
    for (std::size_t i = 0; i < lines.size(); ++i)
        CHECK(lines[i].at("data") == first + static_cast<int>(i));
}

TEST_CASE("cli events: tail from the start, filtered, ends after --count") {
    server s;
    for (int i = 1; i <= 10; ++i) append(s, i % 2 == 0 ? "even-1" : "odd-1", i);
    const auto all =
        cli({"events", "tail", "--from", "start", "--count", "10", "--json", "--url", s.url()});
    INFO(all.err);
    REQUIRE(all.code == 0);
    CHECK(json_lines(all.out).size() == 10);
    const auto even = cli({"events", "tail", "--from", "2", "--categories", "even", "--count", "4",
                           "--json", "--url", s.url()});
    REQUIRE(even.code == 0);
    CHECK(json_lines(even.out).front().at("data") == 4);
    const auto people =
        cli({"events", "tail", "--from", "start", "--count", "1", "--url", s.url()});
    CHECK(contains(people.out, "odd-1@1  note.added  1"));
    const auto wrong = cli({"events", "tail", "--from", "nowhere", "--url", s.url()});
    CHECK(wrong.code == 1);
    CHECK(contains(wrong.err, "refused"));
}

TEST_CASE("cli events: a page of a stream says where its next one begins") {
    server s;
    for (int i = 1; i <= 3; ++i) append(s, "notes-1", i);
    const auto page =
        cli({"events", "read", "--stream", "notes-1", "--limit", "2", "--url", s.url()});
    CHECK(contains(page.err, "more: --from 3"));
    const auto rest =
        cli({"events", "read", "--stream", "notes-1", "--from", "3", "--json", "--url", s.url()});
    CHECK(json_lines(rest.out).size() == 1);
}

TEST_CASE("cli events: an event whose type is caught_up is an event like others") {
    server s;
    REQUIRE(cli({"events", "append", "odd", "--type", "caught_up", "--url", s.url()}).code == 0);
    append(s, "notes-1", 2);
    const auto all =
        cli({"events", "tail", "--from", "start", "--count", "2", "--json", "--url", s.url()});
    REQUIRE(all.code == 0);
    CHECK(json_lines(all.out).at(0).at("type") == "caught_up");
}

#include "cli/cli.hpp"

#include "scripted_server.hpp"

#include <catch2/catch.hpp>

#include <mutex>
#include <sstream>
#include <vector>

using namespace flexcore;
using test::answer_text;
using test::scripted_connection;
using test::scripted_server;

namespace {

struct follower_server {
    std::string page;  ///< the answer to the question where the log ends
    std::mutex mutex;
    std::vector<std::string> asked;  ///< the request lines
    scripted_server server{[this](scripted_connection& c, int) {
        for (std::string r = c.request(); !r.empty(); r = c.request()) {
            const std::lock_guard lock{mutex};
            asked.push_back(r.substr(0, r.find(" HTTP/")));
            if (!asked.back().starts_with("GET /v1/events/stream")) {
                c.send(answer_text(page));
                continue;
            }
            c.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
            c.send("id: 90000\nevent: a\ndata: {\"recorded_at\":\"x\"}\n\n");
            return;
        }
    }};
    explicit follower_server(std::string answer) : page{std::move(answer)} {}
};

/// What `events tail` asks for when the log ends with this page.
std::vector<std::string> requests_of_tail(std::string page) {
    follower_server s{std::move(page)};
    std::istringstream in;
    std::ostringstream out, err;
    const std::vector<std::string> args{"events",
                                        "tail",
                                        "--count",
                                        "1",
                                        "--json",
                                        "--url",
                                        "http://127.0.0.1:" + std::to_string(s.server.port())};
    CHECK(cli::run(args, {in, out, err}) == 0);
    INFO(err.str());
    CHECK(out.str() == "{\"recorded_at\":\"x\"}\n");
    const std::lock_guard lock{s.mutex};
    return s.asked;
}

}  // namespace

TEST_CASE("events tail: now is behind the last event") {
    CHECK(requests_of_tail(R"({"items":[{"position":7}],"next":"7"})").back() ==
          "GET /v1/events/stream?after=7");
    CHECK(requests_of_tail(R"({"items":[],"next":null})").back() ==
          "GET /v1/events/stream?after=0");
}

TEST_CASE("events tail: now is no empty log when only hidden events were looked at") {
    CHECK(requests_of_tail(R"({"items":[],"next":"5004"})").back() ==
          "GET /v1/events/stream?after=5004");
}

#include "program.hpp"
#include "support/server.hpp"

#include <csignal>

#include <catch2/catch.hpp>

#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>

using namespace flexcore::test;
using namespace std::chrono_literals;

namespace {

constexpr int clients = 8;

std::string increment(int client) {
    return request_text("POST", "/v1/commands",
                        R"({"type":"counter.increment","id":"c)" + std::to_string(client) +
                            R"(","data":{"by":1}})");
}

/// Sends commands, one after the other, until an answer says that the connection closes.
/// Gives how many were accepted; an unanswered request throws.
int send_until_closed(std::uint16_t port, int client, std::atomic<int>& answered) {
    http_connection connection{port};
    for (int accepted = 0;;) {
        connection.send(increment(client));
        const auto reply = connection.reply();
        ++answered;
        if (reply.status == 200)
            ++accepted;
        else
            REQUIRE(reply.status == 503);
        if (reply.header("Connection") == "close") return accepted;
    }
}

/// The crash is meant: a sanitizer shall not report it as well. The program that looks up names for
/// such a report may break, and the report then waits for itself for ever.
std::map<std::string, std::string> without_sanitizer_reports() {
    std::map<std::string, std::string> variables;
    for (const char* name : {"ASAN_OPTIONS", "TSAN_OPTIONS"}) {
        const char* set = std::getenv(name);
        variables[name] = std::string{set == nullptr ? "" : set} + ":handle_segv=0";
    }
    return variables;
}

}  // namespace

TEST_CASE("crash: when a plugin's code kills the process the last line says which plugin it was") {
    for (const char* how : {"abort", "segv"}) {
        const std::string folder = std::string{FLEXCORE_BINARY_DIR} + "/tests/plugins";
        server s{{.plugins = {folder + "/crash_on_call.so"},
                  .args = {"--plugin-dir", folder},
                  .env = without_sanitizer_reports()}};
        CHECK_THROWS(s.http("POST", "/v1/plugins/crash_on_call/execute", how));
        const auto end = s.running().wait();
        REQUIRE(end);
        CHECK(end->code != 0);
        const std::string log = s.log();
        INFO(log);
        CHECK(contains(log, "fatal signal"));
        CHECK(contains(log, "in plugin 'crash_on_call'"));
    }
}

TEST_CASE("stop: under load every request is answered, nothing accepted is lost, exit code 0") {
    server s{{.plugins = {"counter"}}};
    std::atomic<int> answered{0};
    std::vector<int> accepted(clients);
    std::vector<std::string> failures(clients);
    std::vector<std::thread> threads;
    for (int i = 0; i < clients; ++i)
        threads.emplace_back([&, i, port = s.port()] {
            try {
                accepted[static_cast<std::size_t>(i)] = send_until_closed(port, i, answered);
            } catch (const std::exception& e) {
                failures[static_cast<std::size_t>(i)] = e.what();
            }
        });
    const bool loaded = wait_until([&] { return answered >= 20 * clients; });
    const auto end = s.stop();
    for (auto& thread : threads) thread.join();
    REQUIRE(loaded);
    for (const std::string& failure : failures) CHECK(failure.empty());
    REQUIRE(end);
    CHECK(end->code == 0);
    s.start();
    for (int i = 0; i < clients; ++i) {
        const auto last = s.http(
            "POST", "/v1/commands",
            R"({"type":"counter.increment","id":"c)" + std::to_string(i) + R"(","data":{"by":1}})");
        REQUIRE(last.status == 200);
        CHECK(last.json().at("version") == accepted[static_cast<std::size_t>(i)] + 1);
    }
}

TEST_CASE("stop: while it drains connections are still taken, and readyz says 503") {
    server s{{.args = {"--set", "http.drain_ms=3s"}}};
    REQUIRE(s.http("GET", "/readyz").status == 200);
    s.running().signal(SIGTERM);
    CHECK(wait_until([&] { return s.http("GET", "/readyz").status == 503; }, 2s));
    CHECK(s.http("GET", "/livez").status == 200);
    const auto end = s.running().wait();
    REQUIRE(end);
    CHECK(end->code == 0);
}

TEST_CASE("stop: a request under way is finished, however slowly it comes in") {
    server s;
    http_connection slow{s.port()};
    const std::string whole = request_text("POST", "/v1/streams/notes-1/events",
                                           R"({"events":[{"type":"note.added","data":1}]})");
    slow.send(std::string_view{whole}.substr(0, whole.size() - 5));
    // The server has the head when another request on the same thread has been answered.
    for (int i = 0; i < 8; ++i) REQUIRE(s.http("GET", "/livez").status == 200);
    s.running().signal(SIGTERM);
    REQUIRE(wait_until([&] { return s.http("GET", "/readyz").status == 503; }, 5s));
    slow.send(std::string_view{whole}.substr(whole.size() - 5));
    CHECK(slow.reply().status == 201);
    const auto end = s.running().wait();
    REQUIRE(end);
    CHECK(end->code == 0);
    s.start();
    CHECK(s.http("GET", "/v1/streams/notes-1/events").status == 200);
}

TEST_CASE("stop: the log is checkpointed, no write-ahead log is left behind", "[sqlite]") {
    server s;
    REQUIRE(
        s.http("POST", "/v1/streams/a/events", R"({"events":[{"type":"t","data":1}]})").status ==
        201);
    REQUIRE(s.stop());
    const auto wal = s.data() / "events.db-wal";
    CHECK((!std::filesystem::exists(wal) || std::filesystem::file_size(wal) == 0));
}

TEST_CASE("stop: Ctrl-C stops in order too, a second signal ends at once with 130") {
    server s;
    s.running().signal(SIGINT);
    const auto end = s.running().wait();
    REQUIRE(end);
    CHECK(end->code == 0);

    server long_drain{{.args = {"--set", "http.drain_ms=20s"}}};
    long_drain.running().signal(SIGINT);
    REQUIRE(wait_until([&] { return long_drain.http("GET", "/readyz").status == 503; }, 5s));
    long_drain.running().signal(SIGINT);
    const auto forced = long_drain.running().wait(10s);
    REQUIRE(forced);
    CHECK(forced->code == 130);
}

TEST_CASE("stop: a client that never finishes its request cannot hold the stop beyond its bound") {
    server s{{.args = {"--set", "runtime.stop_ms_max=4s", "--set", "http.drain_ms=0"}}};
    http_connection endless{s.port()};
    endless.send(
        "POST /v1/commands HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Content-Length: 1000\r\n\r\n{");
    REQUIRE(s.http("GET", "/livez").status == 200);
    const auto end = s.stop(20s);
    REQUIRE(end);
    CHECK(end->code == 0);
}

TEST_CASE("stop: what hangs does not hold it beyond its bound, and the exit code is 1") {
    const auto folder = plugin_file("").parent_path().parent_path() / "tests" / "plugins";
    server s{{.plugins = {(folder / "drain_hangs.so").string()},
              .args = {"--plugin-dir", folder.string(), "--set", "plugins.drain_timeout_ms=1h",
                       "--set", "runtime.stop_ms_max=1s"}}};
    const auto end = s.stop(20s);
    REQUIRE(end);
    CHECK(end->code == 1);
    CHECK(contains(s.log(), "runtime.stop_ms_max"));
}

TEST_CASE("stop: event streams are ended, so that a subscriber does not hold the stop") {
    server s;
    sse_reader reader{s.port(), "/v1/events/stream"};
    REQUIRE(reader.head().status == 200);
    const auto end = s.stop(20s);
    REQUIRE(end);
    CHECK(end->code == 0);
    while (reader.next()) {
    }
}

TEST_CASE("crash: after kill -9 every acknowledged event is there exactly once") {
    server s{{.plugins = {"counter"}}};
    std::mutex mutex;
    std::multiset<std::string> acknowledged;
    std::vector<std::thread> threads;
    for (int i = 0; i < clients; ++i)
        threads.emplace_back([&, i, port = s.port()] {
            try {
                http_connection connection{port};
                for (int n = 0;; ++n) {
                    const std::string mark = std::to_string(i) + "." + std::to_string(n);
                    const auto reply = connection.ask(
                        "POST", "/v1/streams/notes-" + std::to_string(i) + "/events",
                        R"({"events":[{"type":"note.added","data":")" + mark + R"("}]})");
                    const std::lock_guard lock{mutex};
                    if (reply.status == 201) acknowledged.insert(mark);
                }
            } catch (const std::exception&) {  // the server is gone
            }
        });
    REQUIRE(wait_until([&] {
        const std::lock_guard lock{mutex};
        return acknowledged.size() >= 200;
    }));
    s.kill_hard();
    for (auto& thread : threads) thread.join();
    s.start();
    std::multiset<std::string> kept;
    for (std::string after = "0"; !after.empty();) {
        const auto page = s.http("GET", "/v1/events?limit=1000&after=" + after);
        REQUIRE(page.status == 200);
        const auto body = page.json();
        for (const auto& event : body.at("items").as_array())
            kept.insert(std::string{event.at("data").as_string()});
        const auto& next = body.at("next");
        after = next.is_null() ? "" : std::string{next.as_string()};
    }
    for (const std::string& mark : acknowledged) CHECK(kept.count(mark) == 1);
    for (const std::string& mark : kept) CHECK(kept.count(mark) == 1);
    // At most one unanswered request per client.
    CHECK(kept.size() <= acknowledged.size() + clients);
}

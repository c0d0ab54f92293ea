#include "cli/bulk.hpp"

#include "scripted_server.hpp"
#include "support/http.hpp"
#include "support/process.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>
#include <future>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <thread>

using namespace flexcore;
using namespace flexcore::cli;
using namespace std::chrono_literals;
using test::answer_text;
using test::body_of;
using test::scripted_connection;
using test::scripted_server;

namespace {

bulk_settings settings_for(std::uint16_t port) {
    bulk_settings s;
    s.where = url{"127.0.0.1", std::to_string(port), ""};
    s.target = "/lines";
    s.concurrency = 1;
    s.batch_lines = 10;
    s.retry_for = 10s;
    return s;
}

/// "key rest"; repeatable when it ends in '!'; "bad" is no line.
result<bulk_line> prepare(std::string_view text) {
    if (text == "bad") return fail(cli_errc::bad_input, "not a line");
    bulk_line line;
    line.text = text;
    line.key = text.substr(0, text.find(' '));
    line.repeatable = text.ends_with('!');
    return line;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> all;
    std::istringstream in{text};
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
}

std::string answers(const std::vector<std::string>& lines,
                    const std::function<std::string(const std::string&)>& each) {
    std::string out;
    for (const std::string& line : lines) out += each(line) + "\n";
    return answer_text(out, 200, "application/x-ndjson");
}

bulk_tally run_lines(const bulk_settings& settings, const std::string& text) {
    std::istringstream in{text};
    return bulk{settings, prepare}.run(in);
}

}  // namespace

TEST_CASE("bulk: accepted and refused lines are counted by reason, with the first line of each") {
    scripted_server server{[](scripted_connection& c, int) {
        for (std::string r = c.request(); !r.empty(); r = c.request())
            c.send(answers(lines_of(body_of(r)), [](const std::string& line) -> std::string {
                if (line.find("no") != std::string::npos)
                    return R"({"status":422,"code":"command_rejected","reason":"nope","detail":"d"})";
                if (line.find("odd") != std::string::npos)
                    return R"({"status":400,"code":"validation_failed","title":"t"})";
                return R"({"version":1})";
            }));
    }};
    const auto tally =
        run_lines(settings_for(server.port()), "a 1\nb no\n\n  \nbad\nc odd\nd no\ne 2\n");
    CHECK(tally.sent == 5);
    CHECK(tally.accepted == 2);
    CHECK(tally.refused_count() == 2);
    CHECK(tally.refused.at("nope").count == 2);
    CHECK(tally.refused.at("nope").first_line == 2);
    CHECK(tally.refused.at("nope").detail == "d");
    CHECK(tally.invalid_count() == 2);
    CHECK(tally.invalid.at("validation_failed").detail == "t");
    CHECK(tally.invalid.at("invalid_line").first_line == 5);
    CHECK(tally.failed.empty());
}

TEST_CASE("bulk: lines of one key keep their order over several connections") {
    std::mutex mutex;
    std::map<std::string, std::vector<int>> seen;
    scripted_server server{[&](scripted_connection& c, int) {
        for (std::string r = c.request(); !r.empty(); r = c.request())
            c.send(answers(lines_of(body_of(r)), [&](const std::string& line) -> std::string {
                const std::lock_guard lock{mutex};
                const std::size_t blank = line.find(' ');
                seen[line.substr(0, blank)].push_back(std::stoi(line.substr(blank + 1)));
                return "{}";
            }));
    }};
    auto settings = settings_for(server.port());
    settings.concurrency = 4;
    std::string text;
    for (int i = 0; i < 2'000; ++i)
        text += "key" + std::to_string(i % 17) + " " + std::to_string(i) + "\n";
    const auto tally = run_lines(settings, text);
    CHECK(tally.accepted == 2'000);
    CHECK(seen.size() == 17);
    for (const auto& [key, numbers] : seen) CHECK(std::ranges::is_sorted(numbers));
}

TEST_CASE("bulk: busy lines are sent again until they are taken, others are not") {
    std::mutex mutex;
    std::map<std::string, int> times;
    scripted_server server{[&](scripted_connection& c, int) {
        for (std::string r = c.request(); !r.empty(); r = c.request())
            c.send(answers(lines_of(body_of(r)), [&](const std::string& line) -> std::string {
                const std::lock_guard lock{mutex};
                if (++times[line] < 3 && line.starts_with("b"))
                    return R"({"status":503,"code":"busy"})";
                return "{}";
            }));
    }};
    const auto tally = run_lines(settings_for(server.port()), "a 1\nb 1\nc 1\n");
    CHECK(tally.accepted == 3);
    CHECK(tally.again == 2);
    CHECK(times.at("a 1") == 1);
    CHECK(times.at("b 1") == 3);
    CHECK(times.at("c 1") == 1);
}

TEST_CASE("bulk: after a lost connection only repeatable lines are sent again") {
    std::mutex mutex;
    std::map<std::string, int> times;
    scripted_server server{[&](scripted_connection& c, int number) {
        for (std::string r = c.request(); !r.empty(); r = c.request()) {
            const auto lines = lines_of(body_of(r));
            {
                const std::lock_guard lock{mutex};
                for (const auto& line : lines) ++times[line];
            }
            if (number == 0) return;
            c.send(answers(lines, [](const std::string&) { return "{}"; }));
        }
    }};
    auto settings = settings_for(server.port());
    settings.batch_lines = 1;
    const auto tally = run_lines(settings, "a 1!\n");
    CHECK(tally.accepted == 1);
    CHECK(times.at("a 1!") == 2);

    scripted_server always_closing{[&](scripted_connection& c, int) { (void)c.request(); }};
    const auto lost = run_lines(settings_for(always_closing.port()), "a 1\n");
    CHECK(lost.accepted == 0);
    CHECK(lost.failed.at("connection_lost").count == 1);
    CHECK(lost.again == 0);
}

TEST_CASE("bulk: a server that stays busy makes lines fail after the given time") {
    scripted_server server{[](scripted_connection& c, int) {
        for (std::string r = c.request(); !r.empty(); r = c.request())
            c.send(answer_text(R"({"status":503,"code":"busy","title":"full"})", 503));
    }};
    auto settings = settings_for(server.port());
    settings.retry_for = 100ms;
    const auto tally = run_lines(settings, "a 1\nb 1\n");
    CHECK(tally.failed.at("busy").count == 2);
    CHECK(tally.again >= 1);
}

TEST_CASE("bulk: a server that is gone for good ends it, it does not wait once per batch") {
    std::string text;
    for (int i = 0; i < 5'000; ++i) text += "k" + std::to_string(i) + " 1!\n";
    auto settings = settings_for(test::free_port());
    settings.retry_for = 200ms;
    settings.batch_lines = 1;
    const auto begin = std::chrono::steady_clock::now();
    const auto tally = run_lines(settings, text);
    // Once per batch would be 1000 s.
    CHECK(std::chrono::steady_clock::now() - begin < 60s);
    CHECK(tally.stopped);
    CHECK(tally.sent < 5'000);
    CHECK(tally.accepted == 0);
    CHECK(tally.failed_count() == tally.sent);
    CHECK(tally.failed.at("unreachable").first_line == 1);
    CHECK(tally.failed.contains("not_sent"));
}

TEST_CASE("bulk: stopped, it reads no more but takes the answers that are under way") {
    std::optional<bulk> work;
    std::promise<void> asked, stopped;
    scripted_server server{[&](scripted_connection& c, int) {
        (void)c.request();
        asked.set_value();
        stopped.get_future().wait();
        c.send(answers({"a"}, [](const std::string&) { return "{}"; }));
    }};
    auto settings = settings_for(server.port());
    settings.batch_lines = 1;
    work.emplace(settings, prepare);
    std::thread stopping{[&] {
        asked.get_future().wait();
        work->stop();
        stopped.set_value();
    }};
    std::string text;
    for (int i = 0; i < 5'000; ++i) text += "a " + std::to_string(i) + "\n";
    std::istringstream in{text};
    const auto tally = work->run(in);
    stopping.join();
    CHECK(tally.accepted == 1);
    CHECK(tally.stopped);
    CHECK(tally.failed.at("not_sent").count == tally.sent - 1);
}

TEST_CASE("bulk: progress counts what is answered, not what is read") {
    std::promise<void> go_on;
    const auto released = go_on.get_future().share();
    scripted_server server{[&](scripted_connection& c, int) {
        for (std::string r = c.request(); !r.empty(); r = c.request()) {
            released.wait();
            c.send(answers(lines_of(body_of(r)), [](const std::string&) { return "{}"; }));
        }
    }};
    const std::string text = "a 1\n\nbad\nb 2\n";
    bulk work{settings_for(server.port()), prepare};
    std::istringstream in{text};
    bulk_tally tally;
    std::thread running{[&] { tally = work.run(in); }};
    // The blank line and the bad one need no answer.
    CHECK(test::wait_until([&] { return work.so_far().bytes_done == 5; }));
    CHECK(work.so_far().answered == 1);
    go_on.set_value();
    running.join();
    CHECK(tally.accepted == 2);
    CHECK(work.so_far().answered == 3);
    CHECK(work.so_far().bytes_done == text.size());
}

TEST_CASE("bulk: a refusal of the whole request refuses each of its lines") {
    scripted_server server{[](scripted_connection& c, int) {
        for (std::string r = c.request(); !r.empty(); r = c.request())
            c.send(answer_text(R"({"status":403,"code":"forbidden","title":"no"})", 403));
    }};
    const auto tally = run_lines(settings_for(server.port()), "a 1\nb 1\n");
    CHECK(tally.invalid.at("forbidden").count == 2);
}

TEST_CASE("bulk: an answer that ends early leaves the rest unanswered") {
    scripted_server server{[](scripted_connection& c, int) {
        for (std::string r = c.request(); !r.empty(); r = c.request())
            c.send(answer_text("{}\n", 200, "application/x-ndjson"));
    }};
    // The reader may hand the lines over one by one: then each has its answer. One line at a time
    // cannot be cut, so the lines are one request by key and come as a pair at least once.
    std::string text;
    for (int i = 0; i < 200; ++i) text += "a " + std::to_string(i) + "\n";
    const auto tally = run_lines(settings_for(server.port()), text);
    CHECK(tally.accepted + tally.failed_count() == 200);
    CHECK(tally.failed.at("connection_lost").count > 0);
}

TEST_CASE("bulk: verdicts") {
    using enum bulk_verdict;
    CHECK(judge(R"({"version":1})").verdict == accepted);
    CHECK(judge(R"({"status":503,"code":"busy"})").verdict == again);
    CHECK(judge(R"({"status":503,"code":"store_unavailable"})").verdict == again_if_repeatable);
    CHECK(judge(R"({"status":504,"code":"deadline_exceeded"})").verdict == again_if_repeatable);
    CHECK(judge(R"({"status":409,"code":"request_in_progress"})").verdict == again_if_repeatable);
    CHECK(judge(R"({"status":500,"code":"internal"})").verdict == failed);
    CHECK(judge(R"({"status":409,"code":"version_conflict"})").verdict == refused);
    CHECK(judge("not json").verdict == again_if_repeatable);
}

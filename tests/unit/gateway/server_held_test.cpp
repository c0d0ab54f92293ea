// What all connections hold together: who is refused when it is too much, and who is not.
#include "server_house.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <memory>
#include <vector>

using namespace flexcore;
using namespace flexcore::tests;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t held_bytes_max = 256u << 10;
const std::string bulk_head =
    "POST /v1/append HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\n"
    "Transfer-Encoding: chunked\r\n\r\n";

std::string chunk(std::string_view text) {
    char size[32];
    std::snprintf(size, sizeof size, "%zx\r\n", text.size());
    return size + std::string{text} + "\r\n";
}

gateway::http_settings tight() {
    gateway::http_settings out = server_house::quick();
    out.held_bytes_max = held_bytes_max;
    return out;
}

/// Appends to the stream "s" in bodies that are small beside what may be held.
void write(raw_client& writer, std::size_t event_bytes, int events, int appends) {
    std::string list;
    for (int i = 0; i < events; ++i)
        list += std::string{i == 0 ? "" : ","} + R"({"type":"a","data":")" +
                std::string(event_bytes, 'x') + "\"}";
    for (int i = 0; i < appends; ++i) {
        const answer done = writer.post("/v1/streams/s/events", R"({"events":[)" + list + "]}");
        INFO(done.body);
        REQUIRE(done.status == 201);
    }
}

/// Bulk bodies inside a line, small each, together more than may be held.
std::vector<std::unique_ptr<raw_client>> hold_too_much(std::uint16_t port) {
    std::vector<std::unique_ptr<raw_client>> out;
    for (std::size_t bytes = 0; bytes < held_bytes_max + 100'000; bytes += 15'000) {
        out.push_back(std::make_unique<raw_client>(port));
        out.back()->send(bulk_head + chunk(std::string(15'000, ' ')));
    }
    return out;
}

bool reads_are_refused(raw_client& by) { return by.get("/v1/events?limit=1").status == 503; }
/// And not only for a moment.
bool reads_stay_refused(raw_client& by) {
    for (int i = 0; i < 5; ++i)
        if (!reads_are_refused(by)) return false;
    return true;
}
bool reads_are_served(raw_client& by) { return by.get("/v1/events?limit=1").status == 200; }

}  // namespace

TEST_CASE("held: a bulk line without an end counts, and ends when too much is held") {
    server_house house{tight()};
    const auto all = hold_too_much(house.port());
    raw_client other{house.port()};
    CHECK(eventually([&] { return reads_are_refused(other); }));
    for (int i = 0; i < 3; ++i) all[0]->send(chunk(std::string(5000, ' ')));
    const answer refused = all[0]->receive();
    CHECK(refused.status == 503);
    CHECK(refused.code() == "busy");
    for (std::size_t i = 1; i < all.size(); ++i) all[i]->reset();
    CHECK(eventually([&] { return reads_are_served(other); }));
}

TEST_CASE("held: a body that has begun counts, and the buffer into which it is read") {
    server_house house{tight()};
    std::vector<std::unique_ptr<raw_client>> all;
    // The bodies alone are less than what may be held. One after the other: a buffer no longer
    // grows once all is held.
    for (int i = 0; i < 18; ++i) {
        const auto before = house.metric("flexcore_http_held_bytes");
        all.push_back(std::make_unique<raw_client>(house.port()));
        all.back()->send(
            "POST /v1/append HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            "Content-Length: 100000\r\n\r\n" +
            std::string(12'000, ' '));
        REQUIRE(eventually(
            [&] { return house.metric("flexcore_http_held_bytes") >= before + 12'000; }));
    }
    raw_client other{house.port()};
    CHECK(eventually([&] { return reads_stay_refused(other); }));
    for (const auto& one : all) one->reset();
    CHECK(eventually([&] { return reads_are_served(other); }));
}

TEST_CASE("held: while too much is, small bodies are taken, larger ones and large heads are not") {
    server_house house{tight()};
    const auto all = hold_too_much(house.port());
    raw_client other{house.port()}, head{house.port()};
    CHECK(eventually([&] { return reads_are_refused(other); }));
    write(other, 10'000, 1, 3);
    const answer refused =
        other.post("/v1/streams/s/events",
                   R"({"events":[{"type":"a","data":")" + std::string(30'000, 'x') + "\"}]}");
    CHECK(refused.status == 503);
    CHECK(refused.code() == "busy");
    head.send("GET /livez HTTP/1.1\r\nHost: a\r\nX: " + std::string(6'000, 'x'));
    CHECK(head.receive().status == 503);
}

TEST_CASE("held: beyond the bound small answers are still given, large ones not") {
    server_house house{tight()};
    raw_client other{house.port()};
    write(other, 8'000, 12, 1);
    std::vector<std::unique_ptr<raw_client>> all;
    const auto held = [&] { return house.metric("flexcore_http_held_bytes"); };
    while (held() < held_bytes_max) {
        const auto before = held();
        all.push_back(std::make_unique<raw_client>(house.port()));
        all.back()->send(bulk_head + chunk(std::string(15'000, ' ')));
        REQUIRE(eventually([&] { return held() >= before + 15'000; }));
    }
    CHECK(other.get("/v1/streams/s/events?limit=1").status == 200);
    const answer large = other.get("/v1/streams/s/events?limit=12");
    CHECK(other.get("/v1/streams/s/events?limit=1000").status == 503);  // not even made
    raw_client head{house.port()};
    head.send("HEAD /v1/streams/s/events?limit=12 HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(head.receive_head().status == 503);
    CHECK(large.status == 503);
    CHECK(large.code() == "busy");
    all.clear();
    CHECK(eventually([&] { return other.get("/v1/streams/s/events?limit=12").status == 200; }));
}

TEST_CASE("held: while too much is, bulk lines that end are worked on") {
    server_house house{tight()};
    const auto all = hold_too_much(house.port());
    raw_client other{house.port()}, bulk{house.port()};
    CHECK(eventually([&] { return reads_are_refused(other); }));
    std::string lines;
    for (int i = 0; i < 50; ++i)
        lines += "{\"stream\":\"s\",\"events\":[{\"type\":\"a\",\"data\":1}]}\n";
    bulk.send(bulk_head + chunk(lines) + "0\r\n\r\n");
    const answer done = bulk.receive();
    CHECK(done.status == 200);
    CHECK(std::count(done.body.begin(), done.body.end(), '\n') == 50);
    CHECK(done.body.find("problem") == std::string::npos);
}

TEST_CASE("held: a bulk line that comes drop by drop ends") {
    gateway::http_settings settings = server_house::quick();
    settings.body_timeout = milliseconds{300};
    server_house house{settings};
    raw_client drops{house.port()};
    drops.send(bulk_head);
    CHECK(eventually([&] {
        (void)drops.send_some(chunk(" "));
        return house.metric("flexcore_http_timeouts_total") == 1;
    }));
}

TEST_CASE("held: while too much is, the server is watched and operated as ever") {
    server_house house{tight()};
    const auto all = hold_too_much(house.port());
    raw_client other{house.port()};
    CHECK(eventually([&] { return reads_are_refused(other); }));
    CHECK(other.get("/metrics").status == 200);
    CHECK(other.get("/livez").status == 200);
    CHECK(other.get("/v1/version").status == 200);
    // There is no such projection, but it was looked for.
    CHECK(other.post("/v1/projections/none/pause", "").status == 404);
    CHECK(reads_are_refused(other));
}

TEST_CASE("held: when too much is, who holds a good part of it has to be fast") {
    gateway::http_settings settings = tight();
    settings.write_timeout = milliseconds{1000};
    server_house house{settings};
    raw_client writer{house.port()}, other{house.port()};
    write(writer, 4000, 10, 88);
    raw_client hog{house.port(), 4096};
    for (int i = 0; i < 4; ++i)
        hog.send("GET /v1/streams/s/events?limit=1000 HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(eventually([&] { return reads_are_refused(other); }));
    // 2 to 4 bytes in a millisecond, at most: enough elsewhere.
    CHECK(eventually([&] {
        (void)hog.receive_bytes(8);
        return house.metric("flexcore_http_timeouts_total") == 1;
    }));
    CHECK(eventually([&] { return reads_are_served(other); }));
}

TEST_CASE("held: followers of the log that do not read count, and get no more meanwhile") {
    server_house house{tight()};
    raw_client writer{house.port()}, other{house.port()};
    write(writer, 50'000, 1, 150);
    std::vector<std::unique_ptr<raw_client>> followers;
    CHECK(eventually([&] {
        followers.push_back(std::make_unique<raw_client>(house.port(), 4096));
        followers.back()->send("GET /v1/events/stream?after=0 HTTP/1.1\r\nHost: a\r\n\r\n");
        (void)followers.back()->receive_head();
        return reads_stay_refused(other);
    }));
    write(writer, 8'000, 1, 60);
    followers.clear();
    CHECK(eventually([&] { return reads_are_served(other); }));
    // Who comes later gets all of it.
    raw_client late{house.port()};
    late.send("GET /v1/events/stream?after=0 HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(late.receive_head().status == 200);
    CHECK(late.receive_until([](const std::string& text) {
                  return text.find("event: caught_up",
                                   text.size() - std::min<std::size_t>(text.size(), 200)) !=
                         text.npos;
              })
              .find("\"position\":210") != std::string::npos);
}

// Server-Sent Events over real sockets.
#include "server_house.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace flexcore;
using namespace flexcore::tests;

namespace {

void append(raw_client& client, const std::string& stream, const std::string& type, int count) {
    std::string events;
    for (int i = 0; i < count; ++i)
        events += std::string{i == 0 ? "" : ","} + R"({"type":")" + type + R"(","data":{
 "pad":")" + std::string(100, 'x') +
                  "\"}}";
    REQUIRE(
        client.post("/v1/streams/" + stream + "/events", R"({"events":[)" + events + "]}").status ==
        201);
}

std::string request(const std::string& query, const std::string& fields = "") {
    return "GET /v1/events/stream" + query + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

/// Ids of the events (not of caught_up or bare ids) in order.
std::vector<std::uint64_t> ids_of(const std::string& text) {
    std::vector<std::uint64_t> out;
    for (std::size_t at = 0; (at = text.find("id: ", at)) != text.npos; ++at) {
        if (at != 0 && text[at - 1] != '\n') continue;
        const std::size_t line = text.find('\n', at);
        if (line == text.npos) break;
        const std::string_view rest = std::string_view{text}.substr(line + 1);
        if (rest.starts_with("event: ") && !rest.starts_with("event: caught_up"))
            out.push_back(std::stoull(text.substr(at + 4, line - at - 4)));
    }
    return out;
}

auto has(const std::string& what) {
    return [what](const std::string& text) { return text.find(what) != text.npos; };
}

}  // namespace

TEST_CASE("sse: from the start, then live, nothing skipped and nothing twice") {
    server_house house;
    raw_client writer{house.port()}, reader{house.port()};
    append(writer, "a-1", "x", 300);
    reader.send(request("?after=0"));
    const answer head = reader.receive_head();
    CHECK(head.status == 200);
    CHECK(head.field("content-type") == "text/event-stream");
    std::string text = reader.receive_until(has("event: caught_up\ndata: {\"position\":300}\n\n"));
    for (int i = 0; i < 5; ++i) append(writer, "a-1", "x", 10);
    text += reader.receive_until(has("id: 350\n"));
    const auto ids = ids_of(text);
    REQUIRE(ids.size() == 350);
    for (std::size_t i = 0; i < ids.size(); ++i) CHECK(ids[i] == i + 1);
    CHECK(text.find("event: x\ndata: {\"position\":1,") != text.npos);
    // Payloads with line breaks stay one data line.
    CHECK(text.find("\"data\":{  \"pad\"") != text.npos);
}

TEST_CASE("sse: without a position it begins now, Last-Event-ID resumes") {
    server_house house;
    raw_client writer{house.port()};
    append(writer, "a-1", "x", 3);
    raw_client now{house.port()};
    now.send(request(""));
    CHECK(now.receive_head().status == 200);
    (void)now.receive_until(has("event: caught_up"));
    append(writer, "a-1", "x", 1);
    CHECK(ids_of(now.receive_until(has("id: 4\n"))) == std::vector<std::uint64_t>{4});

    raw_client again{house.port()};
    again.send(request("?after=0", "Last-Event-ID: 2\r\n"));
    CHECK(again.receive_head().status == 200);
    CHECK(ids_of(again.receive_until(has("caught_up"))) == std::vector<std::uint64_t>{3, 4});
    CHECK(writer.get("/v1/events/stream?after=x").status == 400);
    CHECK(writer.get("/v1/events/stream", "Last-Event-ID: x\r\n").status == 400);
    const answer head = writer.request("HEAD", "/v1/events/stream");
    CHECK(head.field("content-type") == "text/event-stream");
    // GET's body has no length that could be told.
    CHECK(head.field("content-length").empty());
    CHECK(writer.get("/livez").status == 200);
}

TEST_CASE("sse: filters hold, and the id moves on while nothing matches") {
    server_house house;
    raw_client writer{house.port()}, reader{house.port()};
    append(writer, "a-1", "x", 2);
    reader.send(request("?after=0&types=y"));
    CHECK(reader.receive_head().status == 200);
    (void)reader.receive_until(has("event: caught_up"));
    append(writer, "a-1", "x", 5);
    const std::string text = reader.receive_until(has("id: 7\n\n"));
    CHECK(ids_of(text).empty());
    append(writer, "b-1", "y", 1);
    CHECK(ids_of(reader.receive_until(has("id: 8\n"))) == std::vector<std::uint64_t>{8});
}

TEST_CASE("sse: a slow reader costs bounded memory and misses nothing") {
    server_house house;
    raw_client writer{house.port()}, reader{house.port(), 4096};
    reader.send(request("?after=0"));
    // Far more than is written ahead and than the sockets hold, and more than the bus keeps.
    constexpr int rounds = 60, per_round = 1000;
    for (int i = 0; i < rounds; ++i) append(writer, "a-" + std::to_string(i), "x", per_round);
    CHECK(reader.receive_head().status == 200);
    const std::string last = "id: " + std::to_string(rounds * per_round) + "\n";
    std::string tail;
    std::uint64_t expected = 1;
    bool in_order = true;
    while (tail.find(last) == tail.npos) {
        const std::string more =
            reader.receive_until([](const std::string& t) { return t.size() > 0; });
        REQUIRE_FALSE(more.empty());
        tail += more;
        const std::size_t whole = tail.rfind("\n\n");
        if (whole == tail.npos) continue;
        for (const auto id : ids_of(tail.substr(0, whole))) in_order = in_order && id == expected++;
        if (tail.find(last) != tail.npos) break;
        tail.erase(0, whole + 2);
    }
    CHECK(in_order);
    CHECK(expected == rounds * per_round + 1);
}

TEST_CASE("sse: a client that goes away is noticed") {
    const std::string target = "GET /v1/events/stream ";
    for (const std::string& asks :
         {request(""), target + "HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
          target + "HTTP/1.0\r\n\r\n"}) {
        server_house house;
        {
            raw_client reader{house.port()};
            reader.send(asks);
            CHECK(reader.receive_head().status == 200);
            CHECK(house.metric("flexcore_http_connections") == 1);
            reader.send("and something more");
        }
        CHECK(eventually([&] { return house.metric("flexcore_http_connections") == 0; }));
    }
}

TEST_CASE("sse: HTTP/1.0 gets it without chunks") {
    server_house house;
    raw_client writer{house.port()}, reader{house.port()};
    append(writer, "a-1", "x", 1);
    reader.send("GET /v1/events/stream?after=0 HTTP/1.0\r\n\r\n");
    const answer head = reader.receive_head();
    CHECK(head.status == 200);
    CHECK(head.field("transfer-encoding").empty());
    CHECK(head.field("connection") == "close");
}

// Answers on their way out: slow clients, clients that are gone, many answers at once.
#include "server_house.hpp"

#include <catch2/catch.hpp>

#include <thread>

using namespace flexcore;
using namespace flexcore::tests;
using std::chrono::milliseconds;

namespace {

constexpr int big_page_events = 900;
const std::string big_page = "/v1/streams/s/events?limit=1000";

/// A stream whose page is near 4 MiB, more than the sockets of both sides hold.
void write_big_page(server_house& house) {
    raw_client writer{house.port()};
    std::string events;
    for (int i = 0; i < big_page_events; ++i)
        events += std::string{i == 0 ? "" : ","} + R"({"type":"a","data":")" +
                  std::string(4000, 'x') + "\"}";
    REQUIRE(writer.post("/v1/streams/s/events", R"({"events":[)" + events + "]}").status == 201);
}

std::string get(const std::string& target, const std::string& fields = "") {
    return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

}  // namespace

TEST_CASE("output: a slow client that goes on reading gets its whole answer") {
    gateway::http_settings settings = server_house::quick();
    settings.write_timeout = milliseconds{400};
    server_house house{settings};
    write_big_page(house);
    raw_client slow{house.port(), 4096};
    slow.send(get(big_page));
    const auto began = std::chrono::steady_clock::now();
    answer head = slow.receive_head();
    REQUIRE(head.status == 200);
    const std::size_t size = std::stoul(head.field("content-length"));
    // Far below the rate at which the socket would become writable within the timeout, far above
    // the least that is asked.
    std::size_t got = 0;
    bool whole = true;
    while (got < size && whole) {
        (void)eventually([polls = 0]() mutable { return ++polls > 2; });
        const std::size_t part = slow.receive_bytes(8192);
        whole = part != 0;
        got += part;
    }
    CHECK(got == size);
    CHECK(std::chrono::steady_clock::now() - began > settings.write_timeout);
    CHECK(house.metric("flexcore_http_timeouts_total") == 0);
}

TEST_CASE("output: a client that takes its answer drop by drop is cut") {
    gateway::http_settings settings = server_house::quick();
    settings.write_timeout = milliseconds{1000};
    server_house house{settings, 1};
    write_big_page(house);
    raw_client drops{house.port(), 4096};
    drops.send(get(big_page));
    const bool cut = eventually([&] {
        (void)drops.receive_bytes(1);
        return house.metric("flexcore_http_timeouts_total") == 1;
    });
    CHECK(cut);
}

TEST_CASE("output: a bulk client that reads only at the end is not cut when its body ends") {
    gateway::http_settings settings = server_house::quick();
    settings.write_timeout = milliseconds{2000};
    settings.output_bytes_max = 256u << 20;
    server_house house{settings};
    raw_client client{house.port(), 4096};
    client.send(
        "POST /v1/append HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\n"
        "Transfer-Encoding: chunked\r\n\r\n");
    // Short lines with long answers: more than the sockets hold.
    std::string lines;
    for (int i = 0; i < 100; ++i) lines += "1\n";
    std::size_t sent = 0;
    const auto send_chunk = [&] {
        client.send("c8\r\n" + lines + "\r\n");
        sent += 100;
    };
    while (sent < 20'000) send_chunk();
    // The answers have been stuck for longer than the timeout when the body ends.
    const auto until = std::chrono::steady_clock::now() + 2 * settings.write_timeout;
    CHECK(eventually([&] {
        send_chunk();
        return std::chrono::steady_clock::now() > until;
    }));
    client.send("0\r\n\r\n");
    (void)eventually([polls = 0]() mutable { return ++polls > 20; });
    const answer got = client.receive();
    CHECK(got.complete);
    CHECK(static_cast<std::size_t>(std::count(got.body.begin(), got.body.end(), '\n')) == sent);
}

TEST_CASE("output: what a client sends behind its last request does not cost it the answer") {
    server_house house{server_house::quick(), 1};
    write_big_page(house);
    raw_client client{house.port(), 4096};
    client.send(get(big_page, "Connection: close\r\n"));
    answer head = client.receive_head();
    REQUIRE(head.status == 200);
    client.send("\r\n");
    // The same thread has been round since.
    raw_client other{house.port()};
    for (int i = 0; i < 3; ++i) CHECK(other.get("/livez").status == 200);
    client.send("\r\n");
    const std::size_t size = std::stoul(head.field("content-length"));
    std::size_t got = 0;
    while (const std::size_t part = client.receive_bytes(65'536)) got += part;
    CHECK(got == size);
}

TEST_CASE("output: few pipelined requests of a connection are at work at once") {
    server_house house{server_house::quick(), 1};
    held_workers held{house};
    raw_client client{house.port()};
    std::string requests;
    for (int i = 0; i < 60; ++i) requests += get("/v1/events");
    client.send(requests);
    CHECK(eventually([&] { return house.workers.waiting() >= 8; }));
    raw_client other{house.port()};
    for (int i = 0; i < 3; ++i) CHECK(other.get("/livez").status == 200);
    CHECK(house.workers.waiting() == 8);
    held.let_go();
    for (int i = 0; i < 60; ++i) CHECK(client.receive().status == 200);
}

TEST_CASE("output: answers that wait behind a slow one count as unsent") {
    gateway::http_settings settings = server_house::quick();
    settings.output_bytes_max = 100'000;
    server_house house{settings, 1};
    {
        raw_client writer{house.port()};
        const std::string event = R"({"type":"a","data":")" + std::string(60'000, 'x') + "\"}";
        REQUIRE(writer.post("/v1/streams/s/events", R"({"events":[)" + event + "]}").status == 201);
    }
    held_workers held{house};
    raw_client client{house.port()};
    std::string requests = get("/v1/events");
    for (int i = 0; i < 60; ++i) requests += get("/v1/streams/s/events?limit=1");
    client.send(requests + get("/v1/nothing"));
    CHECK(eventually([&] { return house.workers.waiting() >= 1; }));
    raw_client other{house.port()};
    for (int i = 0; i < 3; ++i) CHECK(other.get("/livez").status == 200);
    // What has been asked is not yet counted as answered; the last request has not been looked at.
    CHECK(house.metric(
              "flexcore_http_requests_total{method=\"other\",route=\"none\",status=\"4xx\"}") == 0);
    held.let_go();
    for (int i = 0; i < 61; ++i) CHECK(client.receive().status == 200);
    CHECK(client.receive().status == 404);
}

TEST_CASE("output: a request whose client has gone is counted") {
    server_house house;
    held_workers held{house};
    const std::string counted =
        "flexcore_http_requests_total{method=\"GET\",route=\"/v1/events\",status=\"4xx\"}";
    {
        raw_client client{house.port()};
        client.send(get("/v1/events"));
        CHECK(eventually([&] { return house.workers.waiting() >= 1; }));
        client.reset();
    }
    CHECK(eventually([&] { return house.metric("flexcore_http_connections") == 0; }));
    CHECK(house.metric(counted) == 1);
    held.let_go();
}

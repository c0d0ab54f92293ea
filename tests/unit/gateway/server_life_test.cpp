// The server's life: limits in number and time, start on a taken port, drain and stop.
#include "server_house.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <thread>

using namespace flexcore;
using namespace flexcore::tests;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds forever{3'600'000};

gateway::http_settings patient() {
    gateway::http_settings out = server_house::quick();
    out.header_timeout = out.body_timeout = out.idle_timeout = out.write_timeout = forever;
    return out;
}

}  // namespace

TEST_CASE("life: a second server on the port fails to start and says so") {
    server_house house;
    gateway::http_settings settings = server_house::quick();
    settings.port = house.port();
    gateway::http_server second{settings, house.services()};
    const auto started = second.start();
    REQUIRE_FALSE(started);
    CHECK(started.error().client.find("port " + std::to_string(house.port()) + " is taken") !=
          std::string::npos);
    settings.host = "0.0.0.0";
    gateway::http_server third{settings, house.services()};
    CHECK_FALSE(third.start());
    raw_client client{house.port()};
    CHECK(client.get("/livez").status == 200);
}

TEST_CASE("life: a stopped server's port is free at once") {
    gateway::http_settings settings = server_house::quick();
    {
        server_house house;
        settings.port = house.port();
        raw_client client{house.port()};
        CHECK(client.get("/livez").status == 200);
    }
    server_house again{settings};
    raw_client client{again.port()};
    CHECK(client.get("/livez").status == 200);
}

TEST_CASE("life: all io threads take connections") {
    server_house house{server_house::quick(), 3};
    std::vector<std::unique_ptr<raw_client>> clients;
    for (int i = 0; i < 60; ++i) {
        clients.push_back(std::make_unique<raw_client>(house.port()));
        CHECK(clients.back()->get("/livez").status == 200);
    }
    CHECK(house.metric("flexcore_http_connections") == 60);
}

TEST_CASE("life: connections beyond the limit are told 503, and places become free") {
    gateway::http_settings settings = server_house::quick();
    settings.connections_max = 3;
    server_house house{settings, 1};
    auto first = std::make_unique<raw_client>(house.port());
    raw_client second{house.port()}, third{house.port()};
    CHECK(first->get("/livez").status == 200);
    CHECK(second.get("/livez").status == 200);
    CHECK(third.get("/livez").status == 200);
    {
        raw_client fourth{house.port()};
        const answer got = fourth.receive();
        CHECK(got.status == 503);
        CHECK(got.code() == "busy");
        CHECK(got.field("retry-after") == "1");
        CHECK_FALSE(got.field("x-request-id").empty());
        CHECK(got.json().at("request_id").as_string() == got.field("x-request-id"));
        CHECK(fourth.closed());
    }
    first.reset();
    REQUIRE(eventually([&] { return house.metric("flexcore_http_connections") == 2; }));
    raw_client fifth{house.port()};
    CHECK(fifth.get("/livez").status == 200);
    CHECK(house.metric("flexcore_http_connections_refused_total") == 1);
}

TEST_CASE("life: a head that trickles in is cut, however steadily it does") {
    gateway::http_settings settings = patient();
    settings.header_timeout = milliseconds{300};
    server_house house{settings};
    raw_client client{house.port()};
    client.send("GET /livez HTTP/1.1\r\nHost: a\r\n");
    std::atomic<bool> cut{false};
    std::jthread slow{[&] {
        (void)eventually([&] {
            client.send("X: y\r\n");
            return cut.load();
        });
    }};
    const answer got = client.receive();
    cut = true;
    slow.join();
    CHECK(got.status == 408);
    CHECK(got.code() == "request_timeout");
    CHECK(house.metric("flexcore_http_timeouts_total") == 1);
}

TEST_CASE("life: an empty line between requests begins none") {
    gateway::http_settings settings = patient();
    settings.header_timeout = milliseconds{100};
    settings.idle_timeout = milliseconds{500};
    server_house house{settings, 1};
    raw_client client{house.port()}, other{house.port()};
    CHECK(client.get("/livez").status == 200);
    client.send("\r");
    // The one thread has seen the CR alone.
    for (int i = 0; i < 3; ++i) CHECK(other.get("/livez").status == 200);
    client.send("\n");
    CHECK(client.closed());
    CHECK(house.metric("flexcore_http_timeouts_total") == 0);
}

TEST_CASE("life: a body without progress is cut") {
    gateway::http_settings settings = patient();
    settings.body_timeout = milliseconds{300};
    server_house house{settings};
    raw_client client{house.port()};
    client.send(
        "POST /v1/streams/s/events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        "Content-Length: 40\r\n\r\n{");
    CHECK(client.receive().status == 408);
    CHECK(client.closed());
    raw_client bulk{house.port()};
    bulk.send(
        "POST /v1/append HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\n"
        "Content-Length: 400\r\n\r\n{\"stream\":\"s\",\"events\":[{\"type\":\"a\",\"data\":1}]}\n");
    const answer got = bulk.receive();
    CHECK(got.status == 200);
    CHECK_FALSE(got.complete);
    CHECK(got.body.find("\"position\":1") != std::string::npos);
}

TEST_CASE("life: a body that trickles in is cut by its rate") {
    gateway::http_settings settings = patient();
    settings.body_timeout = milliseconds{200};
    server_house house{settings};
    raw_client client{house.port()};
    client.send(
        "POST /v1/streams/s/events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        "Content-Length: 1000000\r\n\r\n");
    std::atomic<bool> cut{false};
    std::jthread slow{[&] {
        int polls = 0;
        (void)eventually([&] {
            if (++polls % 10 == 0) client.send(" ");
            return cut.load();
        });
    }};
    CHECK(client.receive().status == 408);
    cut = true;
    slow.join();
}

TEST_CASE("life: an idle connection is closed, a working one is not") {
    gateway::http_settings settings = patient();
    settings.idle_timeout = milliseconds{300};
    server_house house{settings};
    raw_client idle{house.port()}, follower{house.port()};
    follower.send("GET /v1/events/stream HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(follower.receive_head().status == 200);
    CHECK(idle.get("/livez").status == 200);
    CHECK(idle.closed());
    raw_client writer{house.port()};
    CHECK(writer.post("/v1/streams/s/events", R"({"events":[{"type":"a","data":1}]})").status ==
          201);
    const std::string text =
        follower.receive_until([](const std::string& t) { return t.find("id: 1\n") != t.npos; });
    CHECK(text.find("id: 1\n") != text.npos);
}

TEST_CASE("life: a client that does not read its answers is cut") {
    gateway::http_settings settings = patient();
    settings.write_timeout = milliseconds{300};
    server_house house{settings};
    raw_client writer{house.port()};
    std::string events;
    for (int i = 0; i < 1000; ++i)
        events += std::string{i == 0 ? "" : ","} + R"({"type":"a","data":")" +
                  std::string(1000, 'x') + "\"}";
    REQUIRE(writer.post("/v1/streams/s/events", R"({"events":[)" + events + "]}").status == 201);
    raw_client deaf{house.port(), 4096};
    for (int i = 0; i < 20; ++i)
        deaf.send("GET /v1/streams/s/events?limit=1000 HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(eventually([&] { return house.metric("flexcore_http_timeouts_total") == 1; }));
    CHECK(eventually([&] { return house.metric("flexcore_http_connections") == 1; }));
}

TEST_CASE("life: while draining connections are taken and readyz is 503, then all is closed") {
    gateway::http_settings settings = server_house::quick();
    settings.drain = milliseconds{500};
    server_house house{settings};
    raw_client old{house.port()};
    CHECK(old.get("/readyz").status == 200);
    raw_client follower{house.port()};
    follower.send("GET /v1/events/stream HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(follower.receive_head().status == 200);

    house.server->begin_drain();
    raw_client fresh{house.port()};
    CHECK(fresh.get("/readyz").status == 503);
    CHECK(fresh.get("/livez").status == 200);
    CHECK(old.post("/v1/streams/s/events", R"({"events":[{"type":"a","data":1}]})").status == 201);
    // Accepted by the kernel, its request sent before the end: it is answered.
    raw_client waiting{house.port()};
    waiting.send("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    std::jthread stopping{[&] { house.server->stop(); }};
    CHECK(waiting.receive().status == 200);
    // A stream ends with its end mark.
    (void)follower.receive_until([](const std::string&) { return false; });
    CHECK(follower.saw_end());
    stopping.join();
    CHECK(old.closed());
    CHECK(house.metric("flexcore_http_connections") == 0);
}

TEST_CASE("life: a running request finishes before the server stops") {
    server_house house;
    held_workers held{house};
    raw_client client{house.port()};
    client.send("GET /v1/events HTTP/1.1\r\nHost: a\r\n\r\n");
    REQUIRE(eventually([&] { return house.workers.waiting() == 1; }));
    raw_client other{house.port()};
    CHECK(other.get("/livez").status == 200);
    std::jthread stopping{[&] { house.server->stop(); }};
    CHECK(eventually([&] { return house.metric("flexcore_http_connections") == 1; }));
    held.let_go();
    const answer got = client.receive();
    CHECK(got.status == 200);
    CHECK(got.field("connection") == "close");
    stopping.join();
}

TEST_CASE("life: what does not finish is closed at stop_max, and late answers are dropped") {
    gateway::http_settings settings = server_house::quick();
    settings.stop_max = milliseconds{300};
    server_house house{settings};
    held_workers held{house};
    raw_client client{house.port()};
    client.send("GET /v1/events HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(eventually([&] { return house.workers.waiting() >= 1; }));
    house.server->stop();
    CHECK(client.closed());
    house.server.reset();
    house.server = std::make_unique<gateway::http_server>(server_house::quick(), house.services());
    held.let_go();
}

TEST_CASE("life: without file descriptors the server waits instead of spinning, then goes on") {
    server_house house{server_house::quick(), 1};
    const std::string failures = "flexcore_http_accept_failures_total";
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(fd >= 0);
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    rlimit none = before;
    none.rlim_cur = 3;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);

    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(house.port());
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    const auto began = std::chrono::steady_clock::now();
    CHECK(eventually([&] { return house.metric(failures) >= 3; }));
    // Three attempts have two pauses of 100 ms between them.
    CHECK(std::chrono::steady_clock::now() - began >= milliseconds{150});
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);

    const std::string_view request = "GET /livez HTTP/1.0\r\n\r\n";
    REQUIRE(::send(fd, request.data(), request.size(), 0) > 0);
    char answer[4096];
    CHECK(::recv(fd, answer, sizeof answer, 0) > 0);
    CHECK(std::string_view{answer, 15} == "HTTP/1.1 200 OK");
    ::close(fd);
}

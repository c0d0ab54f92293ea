#include "cli/http_client.hpp"

#include "scripted_server.hpp"
#include "support/http.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <future>

using namespace flexcore;
using namespace flexcore::cli;
using namespace std::chrono_literals;
using test::answer_text;
using test::scripted_connection;
using test::scripted_server;

namespace {

http_client client_of(std::uint16_t port, std::chrono::milliseconds silence = 10s) {
    return {url{"127.0.0.1", std::to_string(port), ""}, {5s, silence}};
}

http_request get() {
    http_request request;
    request.target = "/";
    return request;
}

http_request post(std::string body) {
    http_request request;
    request.method = "POST";
    request.target = "/x";
    request.body = std::move(body);
    return request;
}

}  // namespace

TEST_CASE("http client: one connection carries request after request") {
    std::atomic<int> connections{0};
    scripted_server server{[&](scripted_connection& c, int) {
        ++connections;
        for (std::string r = c.request(); !r.empty(); r = c.request())
            c.send(answer_text("{\"size\":" + std::to_string(test::body_of(r).size()) + "}"));
    }};
    auto client = client_of(server.port());
    for (int i = 1; i <= 3; ++i) {
        const auto answer = client.ask(post(std::string(static_cast<std::size_t>(i), 'x')));
        REQUIRE(answer);
        CHECK(answer->status == 200);
        CHECK(answer->body == "{\"size\":" + std::to_string(i) + "}");
        CHECK(answer->content_type == "application/json");
    }
    CHECK(connections == 1);
}

TEST_CASE("http client: nobody listens: unreachable, and the text says where") {
    auto client = client_of(test::free_port());
    const auto answer = client.ask(post("x"));
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == cli_errc::unreachable);
    CHECK(answer.error().client.find("flexcore serve") != std::string::npos);
}

TEST_CASE("http client: a kept connection that was closed is made anew for GET only") {
    std::atomic<int> requests{0};
    scripted_server server{[&](scripted_connection& c, int) {
        if (c.request().empty()) return;
        ++requests;
        c.send(answer_text("1"));  // and closes
    }};
    auto client = client_of(server.port());
    for (int i = 0; i < 3; ++i) REQUIRE(client.ask(get()));
    CHECK(requests == 3);
}

TEST_CASE("http client: a POST that was read on a kept connection is never sent again") {
    std::atomic<int> posts{0};
    scripted_server server{[&](scripted_connection& c, int) {
        for (std::string r = c.request(); !r.empty(); r = c.request()) {
            // Read, perhaps done, and no answer; anywhere else it would be answered.
            if (r.starts_with("POST") && ++posts == 1) return;
            c.send(answer_text("1"));
        }
    }};
    auto client = client_of(server.port());
    REQUIRE(client.ask(get()));
    const auto lost = client.ask(post("x"));
    REQUIRE_FALSE(lost);
    CHECK(lost.error().code == cli_errc::broken);
    CHECK(posts == 1);
    // What the caller sends again goes out.
    CHECK(client.ask(post("x")));
    CHECK(posts == 2);
}

TEST_CASE("http client: a POST on a kept connection that was closed before is not sent anew") {
    std::promise<void> closed;
    std::atomic<int> posts{0};
    scripted_server server{[&](scripted_connection& c, int number) {
        for (std::string r = c.request(); !r.empty(); r = c.request()) {
            if (r.starts_with("POST")) ++posts;
            c.send(answer_text("1"));
            if (number != 0) continue;
            c.shut();
            closed.set_value();
            return;
        }
    }};
    auto client = client_of(server.port());
    REQUIRE(client.ask(get()));
    REQUIRE(closed.get_future().wait_for(30s) == std::future_status::ready);
    // It cannot know that the server has not read it.
    const auto lost = client.ask(post("x"));
    REQUIRE_FALSE(lost);
    CHECK(lost.error().code == cli_errc::broken);
    CHECK(posts == 0);
    CHECK(client.ask(post("x")));
    CHECK(posts == 1);
}

TEST_CASE("http client: an answer cut off is broken, silence is a timeout") {
    scripted_server server{[&](scripted_connection& c, int number) {
        (void)c.request();
        if (number == 0) c.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
        if (number == 1) c.wait_closed();
    }};
    auto client = client_of(server.port(), 300ms);
    const auto cut = client.ask(post("x"));
    REQUIRE_FALSE(cut);
    CHECK(cut.error().code == cli_errc::broken);
    const auto silent = client.ask(post("x"));
    REQUIRE_FALSE(silent);
    CHECK(silent.error().code == cli_errc::timeout);
    CHECK(silent.error().client.find("within 0.3 s") != std::string::npos);
}

TEST_CASE("http client: a chunked answer cut inside its only chunk is broken") {
    // Beast alone has an assertion there.
    scripted_server server{[&](scripted_connection& c, int) {
        (void)c.request();
        c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    }};
    const auto cut = client_of(server.port()).ask(post("x"));
    REQUIRE_FALSE(cut);
    CHECK(cut.error().code == cli_errc::broken);
    auto client = client_of(server.port());
    REQUIRE(client.open(post("x")));
    const auto part = client.read_part();
    REQUIRE_FALSE(part);
    CHECK(part.error().code == cli_errc::broken);
}

TEST_CASE("http client: an empty chunked answer is an empty body") {
    scripted_server server{[&](scripted_connection& c, int) {
        (void)c.request();
        c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        c.send("0\r\n");
        c.send("\r\n");
        c.wait_closed();
    }};
    const auto answer = client_of(server.port()).ask(post("x"));
    REQUIRE(answer);
    CHECK(answer->body.empty());
}

TEST_CASE("http client: what is not HTTP is a bad answer") {
    scripted_server server{[&](scripted_connection& c, int) {
        (void)c.request();
        c.send("SSH-2.0-OpenSSH_9.2\r\n\r\n");
    }};
    const auto answer = client_of(server.port()).ask(post("x"));
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == cli_errc::bad_answer);
}

TEST_CASE("http client: a refusal sent before the body was read is still seen") {
    scripted_server server{[&](scripted_connection& c, int) {
        c.send(answer_text("{}", 413));
        c.wait_closed();
    }};
    const auto answer = client_of(server.port()).ask(post(std::string(1u << 20, 'x')));
    REQUIRE(answer);
    CHECK(answer->status == 413);
}

TEST_CASE("http client: an endless body comes in parts until it ends") {
    scripted_server server{[&](scripted_connection& c, int) {
        (void)c.request();
        c.send(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        c.send("2\r\nde\r\n0\r\n\r\n");
    }};
    auto client = client_of(server.port());
    const auto head = client.open(get());
    REQUIRE(head);
    CHECK(head->content_type == "text/event-stream");
    std::string all;
    for (;;) {
        const auto part = client.read_part();
        REQUIRE(part);
        if (!*part) break;
        all += **part;
    }
    CHECK(all == "abcde");
}

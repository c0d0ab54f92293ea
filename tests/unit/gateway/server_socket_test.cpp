// Events over a WebSocket, over real sockets.
#include "server_house.hpp"

#include <boost/json/parse.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <thread>

using namespace flexcore;
using namespace flexcore::tests;

namespace {

constexpr std::string_view key = "dGhlIHNhbXBsZSBub25jZQ==";

void append(raw_client& client, const std::string& stream, const std::string& type, int count,
            std::size_t pad = 10) {
    std::string events;
    for (int i = 0; i < count; ++i)
        events += std::string{i == 0 ? "" : ","} + R"({"type":")" + type + R"(","data":")" +
                  std::string(pad, 'x') + "\"}";
    REQUIRE(
        client.post("/v1/streams/" + stream + "/events", R"({"events":[)" + events + "]}").status ==
        201);
}

std::string upgrade(const std::string& query, const std::string& fields = "") {
    return "GET /v1/events/socket" + query +
           " HTTP/1.1\r\nHost: localhost:8080\r\nConnection: keep-alive, Upgrade\r\n"
           "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
           std::string{key} + "\r\n" + fields + "\r\n";
}

std::string masked(unsigned first, std::string_view payload) {
    std::string out(1, static_cast<char>(first));
    REQUIRE(payload.size() < 65'536);
    if (payload.size() < 126) {
        out += static_cast<char>(0x80 | payload.size());
    } else {
        out += static_cast<char>(0x80 | 126);
        out += static_cast<char>(payload.size() >> 8);
        out += static_cast<char>(payload.size() & 0xFF);
    }
    out += std::string_view{"\x01\x02\x03\x04"};
    for (std::size_t i = 0; i < payload.size(); ++i)
        out += static_cast<char>(payload[i] ^ static_cast<char>(1 + (i & 3)));
    return out;
}
std::string credit(int n) { return masked(0x81, "{\"credit\":" + std::to_string(n) + "}"); }

struct frame {
    unsigned first = 0;  ///< 0: the connection ended instead
    std::string payload;
    [[nodiscard]] std::uint64_t position() const {
        return boost::json::parse(payload).at("position").to_number<std::uint64_t>();
    }
    [[nodiscard]] unsigned code() const {
        return payload.size() < 2
                   ? 0
                   : static_cast<unsigned>(static_cast<unsigned char>(payload[0])) << 8 |
                         static_cast<unsigned char>(payload[1]);
    }
};

/// A client that speaks frames.
struct socket_client {
    explicit socket_client(std::uint16_t port, const std::string& query = "?after=0",
                           const std::string& fields = "", int receive_buffer_bytes = 0)
        : raw{port, receive_buffer_bytes} {
        raw.send(upgrade(query, fields));
        opened = raw.receive_head();
    }
    frame next() {
        frame out;
        if (!need(2)) return out;
        std::size_t length = static_cast<unsigned char>(in[1]), head = 2;
        const std::size_t wide = length == 126 ? 2 : length == 127 ? 8 : 0;
        if (!need(head + wide)) return out;
        if (wide != 0) length = 0;
        for (std::size_t i = 0; i < wide; ++i)
            length = length << 8 | static_cast<unsigned char>(in[head++]);
        if (!need(head + length)) return out;
        out.first = static_cast<unsigned char>(in[0]);
        out.payload = in.substr(head, length);
        in.erase(0, head + length);
        return out;
    }
    bool need(std::size_t bytes) {
        while (in.size() < bytes) {
            const std::string more = raw.receive_raw();
            if (more.empty()) return false;
            in += more;
        }
        return true;
    }
    raw_client raw;
    answer opened;
    std::string in;
};

}  // namespace

TEST_CASE("socket: the handshake answers the client's key") {
    server_house house;
    socket_client client{house.port()};
    CHECK(client.opened.status == 101);
    CHECK(client.opened.field("upgrade") == "websocket");
    CHECK(client.opened.field("connection") == "Upgrade");
    CHECK(client.opened.field("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    CHECK(client.opened.field("sec-websocket-extensions").empty());
    CHECK(client.opened.field("content-length").empty());
    CHECK(client.opened.field("transfer-encoding").empty());
}

TEST_CASE("socket: a client that asks for the end of the connection too gets its upgrade alone") {
    server_house house;
    raw_client raw{house.port()};
    std::string text = upgrade("");
    text.replace(text.find("keep-alive"), 10, "close");
    raw.send(text + masked(0x89, "p"));
    const answer opened = raw.receive_head();
    CHECK(opened.status == 101);
    CHECK(std::count_if(opened.fields.begin(), opened.fields.end(),
                        [](const auto& one) { return one.first == "connection"; }) == 1);
    CHECK(raw.receive_raw() == "\x8A\x01p");
}

TEST_CASE("socket: an event per credit, in order, nothing skipped and nothing twice") {
    server_house house;
    raw_client writer{house.port()};
    append(writer, "a-1", "x", 600);
    socket_client client{house.port()};
    std::uint64_t expected = 1;
    for (const int count : {1, 3, 300, 296}) {
        client.raw.send(credit(count));
        for (int i = 0; i < count; ++i) {
            const frame got = client.next();
            REQUIRE(got.first == 0x81);
            CHECK(got.position() == expected++);
        }
        // Nothing beyond the credit: the pong is next.
        client.raw.send(masked(0x89, "between"));
        const frame pong = client.next();
        CHECK(pong.first == 0x8A);
        CHECK(pong.payload == "between");
    }
    // At the head credit waits for what comes.
    client.raw.send(credit(2));
    append(writer, "a-1", "x", 3);
    CHECK(client.next().position() == 601);
    CHECK(client.next().position() == 602);
    client.raw.send(masked(0x89, ""));
    CHECK(client.next().first == 0x8A);
    client.raw.send(credit(1));
    CHECK(client.next().position() == 603);
}

TEST_CASE("socket: the same events and filters as Server-Sent Events") {
    server_house house;
    raw_client writer{house.port()};
    append(writer, "a-1", "x", 2);
    append(writer, "b-1", "y", 1);
    socket_client client{house.port(), "?after=0&types=y"};
    client.raw.send(credit(5));
    const frame got = client.next();
    CHECK(boost::json::parse(got.payload) ==
          writer.get("/v1/events?types=y").json().at("items").as_array().at(0));
    append(writer, "a-1", "x", 1);
    append(writer, "b-1", "y", 1);
    CHECK(client.next().position() == 5);

    socket_client now{house.port(), ""};
    now.raw.send(credit(5));
    now.raw.send(masked(0x89, ""));
    CHECK(now.next().first == 0x8A);
    append(writer, "a-1", "x", 1);
    CHECK(now.next().position() == 6);
}

TEST_CASE("socket: requests that open none are problems, and the connection goes on") {
    server_house house;
    raw_client client{house.port()};
    const answer plain = client.get("/v1/events/socket");
    CHECK(plain.status == 426);
    CHECK(plain.code() == "upgrade_required");
    CHECK(plain.field("upgrade") == "websocket");
    CHECK(plain.field("connection") == "Upgrade");
    CHECK(plain.field("sec-websocket-version") == "13");
    CHECK(client.request("HEAD", "/v1/events/socket").status == 426);
    const auto asked = [&](std::string_view from, std::string_view to,
                           const std::string& query = "") {
        std::string text = upgrade(query);
        text.replace(text.find(from), from.size(), to);
        client.send(text);
        return client.receive();
    };
    CHECK(asked("Version: 13", "Version: 8").status == 426);
    CHECK(asked("Upgrade: websocket", "Upgrade: h2c").status == 426);
    CHECK(asked("keep-alive, Upgrade", "keep-alive").status == 426);
    CHECK(asked("dGhl", "dG").status == 400);
    CHECK(asked("ZQ==", "ZR==").status == 400);
    CHECK(asked(key, "").status == 400);
    CHECK(asked("GET", "GET", "?after=9").status == 400);
    CHECK(asked("GET", "GET", "?limit=9").status == 400);
    CHECK(client.get("/livez").status == 200);
}

TEST_CASE("socket: pages of other origins open none unless they are allowed") {
    gateway::http_settings settings = server_house::quick();
    settings.cors_origins = {"https://app.example.com"};
    server_house house{settings};
    const auto opens = [&](const std::string& fields) {
        return socket_client{house.port(), "", fields}.opened.status;
    };
    CHECK(opens("Origin: http://localhost:8080\r\n") == 101);
    CHECK(opens("Origin: https://app.example.com\r\n") == 101);
    for (const char* other :
         {"http://evil.example", "null", "http://localhost", "https://localhost:8081",
          "https://app.example.com, http://localhost:8080"})
        CHECK(opens("Origin: " + std::string{other} + "\r\n") == 403);
    CHECK(opens("Origin: http://localhost:8080\r\nOrigin: http://localhost:8080\r\n") == 403);
}

TEST_CASE("socket: what a client may not say ends it with a code that says why") {
    server_house house;
    const auto said = [&](const std::string& bytes) {
        socket_client client{house.port()};
        client.raw.send(bytes);
        const frame got = client.next();
        CHECK(got.first == 0x88);
        CHECK(client.raw.closed());
        return got.code();
    };
    for (const char* text :
         {"", "1", "[]", "{}", "{\"credit\":0}", "{\"credit\":-1}", "{\"credit\":1.5}",
          "{\"credit\":\"1\"}", "{\"credit\":1000001}", "{\"credit\":1,\"more\":2}",
          "{\"credit\":1,\"credit\":1}", "{\"credit\":1", "[[[[[[1]]]]]]"}) {
        INFO(text);
        CHECK(said(masked(0x81, text)) == 1008);
    }
    CHECK(said(credit(1'000'000) + credit(1)) == 1008);
    CHECK(said(masked(0x82, "{\"credit\":1}")) == 1003);
    CHECK(said(masked(0x81, "\xFF")) == 1007);
    CHECK(said(masked(0x81, std::string(5000, ' '))) == 1009);
    CHECK(said("\x81\x02{}") == 1002);
    CHECK(said("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n") == 1002);
    CHECK(said(masked(0x88, "\x0F\xA0")) == 4000);
    CHECK(said(masked(0x88, "")) == 1000);
}

TEST_CASE("socket: frames sent with the handshake are taken") {
    server_house house;
    raw_client writer{house.port()};
    append(writer, "a-1", "x", 1);
    raw_client raw{house.port()};
    raw.send("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n" + upgrade("?after=0") + credit(1));
    CHECK(raw.receive().status == 200);
    CHECK(raw.receive_head().status == 101);
    CHECK(raw.receive_raw().find("\"position\":1,") != std::string::npos);
}

TEST_CASE("socket: a silent client is pinged, then cut, one that answers stays") {
    gateway::http_settings settings = server_house::quick();
    settings.socket_idle_timeout = std::chrono::milliseconds{400};
    server_house house{settings};
    socket_client client{house.port()};
    for (int i = 0; i < 5; ++i) {
        const frame ping = client.next();
        REQUIRE(ping.first == 0x89);
        client.raw.send(masked(0x8A, ping.payload));
    }
    CHECK(client.next().first == 0x89);
    const frame end = client.next();
    CHECK(end.first == 0x88);
    CHECK(end.code() == 1008);
    CHECK(client.raw.closed());
}

TEST_CASE("socket: a client that reads slowly, pings behind events, is not taken for silent") {
    gateway::http_settings settings = server_house::quick();
    settings.socket_idle_timeout = std::chrono::milliseconds{300};
    server_house house{settings};
    raw_client writer{house.port()};
    for (int i = 0; i < 8; ++i) append(writer, "a-1", "x", 100, 8000);
    socket_client client{house.port(), "?after=0", "", 4096};
    client.raw.send(credit(800));
    const auto began = std::chrono::steady_clock::now();
    std::uint64_t seen = 0;
    while (seen < 800) {
        const frame got = client.next();
        REQUIRE((got.first == 0x81 || got.first == 0x89));
        if (got.first == 0x89) {
            client.raw.send(masked(0x8A, got.payload));
        } else {
            CHECK(got.position() == ++seen);
            (void)eventually([polls = 0]() mutable { return ++polls > 1; });
        }
    }
    CHECK(std::chrono::steady_clock::now() - began > 2 * settings.socket_idle_timeout);
}

TEST_CASE("socket: a client that has yet to read what the kernel holds is not taken for silent") {
    gateway::http_settings settings = server_house::quick();
    settings.socket_idle_timeout = std::chrono::milliseconds{300};
    server_house house{settings};
    raw_client writer{house.port()};
    append(writer, "a-1", "x", 100, 1000);
    socket_client client{house.port()};
    client.raw.send(credit(101));
    const auto until = std::chrono::steady_clock::now() + 4 * settings.socket_idle_timeout;
    CHECK(eventually([&] { return std::chrono::steady_clock::now() > until; }));
    std::uint64_t seen = 0, pings = 0;
    while (seen < 100 || pings == 0) {
        const frame got = client.next();
        REQUIRE((got.first == 0x81 || got.first == 0x89));
        if (got.first == 0x81)
            CHECK(got.position() == ++seen);
        else
            client.raw.send(masked(0x8A, std::string(++pings, 'p')));
    }
    append(writer, "a-1", "x", 1);
    frame got = client.next();
    while (got.first == 0x89) got = client.next();
    CHECK(got.position() == 101);
    // Now nothing is on its way to it: silence is silence.
    while (got.first == 0x81 || got.first == 0x89) got = client.next();
    CHECK(got.code() == 1008);
}

TEST_CASE("socket: a client that never reads is cut, and what waits for it is bounded") {
    gateway::http_settings settings = server_house::quick();
    settings.write_timeout = std::chrono::milliseconds{300};
    server_house house{settings};
    raw_client writer{house.port()};
    for (int i = 0; i < 20; ++i) append(writer, "a-1", "x", 1000, 1000);
    socket_client client{house.port(), "?after=0", "", 4096};
    client.raw.send(credit(1'000'000));
    CHECK(eventually([&] { return house.metric("flexcore_http_timeouts_total") == 1; }));
    CHECK(eventually([&] { return house.metric("flexcore_http_connections") == 1; }));
    CHECK(eventually([&] { return house.metric("flexcore_event_subscribers") == 0; }));
}

TEST_CASE("socket: pings whose pongs nobody reads are not read either") {
    server_house house;
    socket_client client{house.port(), "?after=0", "", 4096};
    const std::string ping = masked(0x89, std::string(125, 'p'));
    std::string many;
    for (int i = 0; i < 1000; ++i) many += ping;
    // Far beyond what sockets hold: at some point no more is taken.
    std::size_t sent = 0;
    int idle = 0;
    while (idle < 20 && sent < (64u << 20)) {
        const std::size_t count = client.raw.send_some(many);
        sent += count;
        idle = count == 0 ? idle + 1 : 0;
        if (count == 0)
            std::this_thread::sleep_for(std::chrono::milliseconds{5});  // polling interval
    }
    CHECK(sent < (64u << 20));
}

TEST_CASE("socket: the server stops with code 1001, at once") {
    auto house = std::make_unique<server_house>();
    socket_client client{house->port()};
    std::thread stop{[&] { house->server->stop(); }};
    const frame got = client.next();
    CHECK(got.first == 0x88);
    CHECK(got.code() == 1001);
    client.raw.send(masked(0x88, "\x03\xE9"));
    CHECK(client.raw.closed());
    stop.join();
}

TEST_CASE("socket: a follower that comes while the server stops ends too") {
    for (const bool socket : {false, true}) {
        auto house = std::make_unique<server_house>();
        auto held = std::make_unique<held_workers>(*house);
        raw_client busy{house->port()}, idle{house->port()};
        CHECK(idle.get("/livez").status == 200);
        busy.send("GET /v1/events?limit=1000 HTTP/1.1\r\nHost: a\r\n\r\n");
        CHECK(idle.get("/livez").status == 200);
        std::thread stop{[&] { house->server->stop(); }};
        CHECK(idle.closed());  // so the server has begun to stop
        busy.send(socket ? upgrade("") : "GET /v1/events/stream HTTP/1.1\r\nHost: a\r\n\r\n");
        CHECK(eventually([&] { return house->metric("flexcore_event_subscribers") == 1; }));
        held->let_go();
        CHECK(busy.receive().status == 200);
        CHECK(busy.receive_head().status == (socket ? 101 : 200));
        if (socket) CHECK(busy.receive_raw().substr(0, 4) == "\x88\x12\x03\xE9");
        stop.join();
        held.reset();
    }
}

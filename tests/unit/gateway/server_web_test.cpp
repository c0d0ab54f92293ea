// What browsers and their pages meet: compressed answers, origins, preflights.
#include "server_house.hpp"

#include <zlib.h>

#include <catch2/catch.hpp>

using namespace flexcore;
using namespace flexcore::tests;

namespace {

std::string unzip(const std::string& text) {
    std::string out(8u << 20, '\0');
    z_stream stream{};
    REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
    std::string in = text;
    stream.next_in = reinterpret_cast<Bytef*>(in.data());
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
    out.resize(stream.total_out);
    inflateEnd(&stream);
    return out;
}

void append(raw_client& client, const std::string& stream, int count, std::size_t pad) {
    std::string events;
    for (int i = 0; i < count; ++i)
        events += std::string{i == 0 ? "" : ","} + R"({"type":"t","data":")" +
                  std::string(pad, 'x') + "\"}";
    REQUIRE(
        client.post("/v1/streams/" + stream + "/events", R"({"events":[)" + events + "]}").status ==
        201);
}

gateway::http_settings with_origins() {
    gateway::http_settings out = server_house::quick();
    out.cors_origins = {"https://app.example.com"};
    return out;
}

}  // namespace

TEST_CASE("compression: small and large answers for who asks, with Vary for everybody") {
    server_house house;
    raw_client client{house.port()};
    append(client, "small", 1, 100);
    append(client, "middle", 50, 200);   // on the io thread
    append(client, "large", 500, 1000);  // on a worker
    for (const std::string stream : {"middle", "large"}) {
        const std::string target = "/v1/streams/" + stream + "/events?limit=1000";
        const answer plain = client.get(target);
        CHECK(plain.status == 200);
        CHECK(plain.field("content-encoding").empty());
        CHECK(plain.field("vary") == "Accept-Encoding");
        const answer zipped = client.get(target, "Accept-Encoding: gzip\r\n");
        CHECK(zipped.field("content-encoding") == "gzip");
        CHECK(zipped.field("vary") == "Accept-Encoding");
        CHECK(zipped.body.size() < plain.body.size() / 4);
        CHECK(unzip(zipped.body) == plain.body);
        const answer packed = client.get(target, "Accept-Encoding: gzip, zstd\r\n");
        CHECK(packed.field("content-encoding") == "zstd");
        const answer head = client.request("HEAD", target, {}, "Accept-Encoding: gzip\r\n");
        CHECK(head.field("content-encoding") == "gzip");
        CHECK(head.field("content-length") == std::to_string(zipped.body.size()));
        CHECK(client.get(target, "Accept-Encoding: gzip;q=0\r\n").body == plain.body);
    }
    const answer small = client.get("/v1/streams/small/events", "Accept-Encoding: gzip\r\n");
    CHECK(small.field("content-encoding").empty());
    CHECK(small.field("vary").empty());
}

TEST_CASE("compression: pipelined answers keep their order when some are compressed elsewhere") {
    server_house house;
    raw_client client{house.port()};
    append(client, "large", 500, 1000);
    const std::string large =
        "GET /v1/streams/large/events?limit=1000 HTTP/1.1\r\nHost: a\r\nAccept-Encoding: "
        "gzip\r\n\r\n";
    std::string all;
    for (int i = 0; i < 5; ++i) all += large + "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
    client.send(all);
    for (int i = 0; i < 5; ++i) {
        CHECK(client.receive().field("content-encoding") == "gzip");
        CHECK(client.receive().body == R"({"status":"alive"})");
    }
}

TEST_CASE("compression: streams are not, and nothing is when it is switched off") {
    gateway::http_settings settings = server_house::quick();
    settings.compression_bytes_min = 0;
    server_house off{settings};
    raw_client client{off.port()};
    append(client, "a", 50, 1000);
    const answer plain = client.get("/v1/streams/a/events", "Accept-Encoding: gzip\r\n");
    CHECK(plain.field("content-encoding").empty());
    CHECK(plain.field("vary").empty());

    settings.compression_bytes_min = 1;
    server_house on{settings};
    raw_client writer{on.port()}, reader{on.port()};
    append(writer, "a", 50, 1000);
    reader.send(
        "GET /v1/events/stream?after=0 HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    CHECK(reader.receive_head().field("content-encoding").empty());
    CHECK(reader.receive_until([](const std::string& t) { return t.size() > 10'000; })
              .starts_with("id: 1\n"));
}

TEST_CASE("compression: a client that goes while its answer is compressed harms nobody") {
    server_house house;
    raw_client client{house.port()};
    append(client, "large", 500, 1000);
    for (int i = 0; i < 50; ++i) {
        raw_client hasty{house.port()};
        hasty.send(
            "GET /v1/streams/large/events?limit=1000 HTTP/1.1\r\nHost: a\r\nAccept-Encoding: "
            "gzip\r\n\r\n");
        if (i % 2 == 0) hasty.reset();
    }
    CHECK(eventually([&] { return house.metric("flexcore_http_connections") == 1; }));
    CHECK(client.get("/livez").status == 200);
}

TEST_CASE("origins: a page of a stranger changes nothing, and reads what a browser keeps from it") {
    server_house house{with_origins()};
    raw_client client{house.port()};
    const std::string body = R"({"events":[{"type":"t","data":1}]})";
    for (const char* origin : {"http://evil.example", "null", "http://test:1"}) {
        const std::string field = "Origin: " + std::string{origin} + "\r\n";
        const answer refused = client.post("/v1/streams/a/events", body, field);
        CHECK(refused.status == 403);
        CHECK(refused.code() == "forbidden");
        CHECK(refused.field("access-control-allow-origin").empty());
        CHECK(client.request("POST", "/v1/plugins/x/execute", "a", field).status == 403);
        CHECK(client.request("DELETE", "/v1/plugins/x", {}, field).status == 403);
        const answer read = client.get("/livez", field);
        CHECK(read.status == 200);
        CHECK(read.field("access-control-allow-origin").empty());
    }
    CHECK(client.get("/v1/streams/a/events").status == 404);
    // The server's own pages, and programs that are no browser.
    CHECK(client.post("/v1/streams/a/events", body, "Origin: http://test\r\n").status == 403);
    const auto asked_as = [&](const std::string& host) {
        client.send("POST /v1/streams/a/events HTTP/1.1\r\nHost: " + host + "\r\nOrigin: http://" +
                    host + "\r\nContent-Type: application/json\r\nContent-Length: " +
                    std::to_string(body.size()) + "\r\n\r\n" + body);
        return client.receive().status;
    };
    CHECK(asked_as("localhost:8080") == 201);
    CHECK(asked_as("127.0.0.1") == 201);
    CHECK(asked_as("evil.example:8080") == 403);
    CHECK(client.post("/v1/streams/a/events", body).status == 201);
}

TEST_CASE("origins: a page of an allowed one reads the answer and its fields") {
    server_house house{with_origins()};
    raw_client client{house.port()};
    const std::string field = "Origin: https://app.example.com\r\n";
    const answer written =
        client.post("/v1/streams/a/events", R"({"events":[{"type":"t","data":1}]})", field);
    CHECK(written.status == 201);
    CHECK(written.field("access-control-allow-origin") == "https://app.example.com");
    CHECK(written.field("access-control-allow-credentials").empty());
    CHECK(written.field("vary") == "Origin");
    for (const char* name : {"FlexCore-Position", "ETag", "X-Request-Id", "Idempotent-Replay"})
        CHECK(written.field("access-control-expose-headers").find(name) != std::string::npos);
    CHECK(client.get("/nothing", field).field("access-control-allow-origin") ==
          "https://app.example.com");
    // A cache must not give this answer to another page.
    CHECK(client.get("/livez").field("vary") == "Origin");
    client.send("GET /v1/events/stream HTTP/1.1\r\nHost: a\r\n" + field + "\r\n");
    CHECK(client.receive_head().field("access-control-allow-origin") == "https://app.example.com");
}

TEST_CASE("origins: preflights are answered for allowed origins alone") {
    server_house house{with_origins()};
    raw_client client{house.port()};
    const std::string asks =
        "Access-Control-Request-Method: POST\r\n"
        "Access-Control-Request-Headers: content-type,idempotency-key\r\n";
    const answer yes = client.request("OPTIONS", "/v1/streams/a/events", {},
                                      asks + "Origin: https://app.example.com\r\n");
    CHECK(yes.status == 204);
    CHECK(yes.field("access-control-allow-origin") == "https://app.example.com");
    CHECK(yes.field("access-control-allow-methods") == "GET, HEAD, POST, OPTIONS");
    for (const char* name : {"Content-Type", "Idempotency-Key", "X-Tenant-Id"})
        CHECK(yes.field("access-control-allow-headers").find(name) != std::string::npos);
    CHECK_FALSE(yes.field("access-control-max-age").empty());
    const answer no = client.request("OPTIONS", "/v1/streams/a/events", {},
                                     asks + "Origin: https://evil.example\r\n");
    CHECK(no.status == 204);
    CHECK(no.field("access-control-allow-origin").empty());
    CHECK(no.field("access-control-allow-methods").empty());
    CHECK(no.field("allow") == "GET, HEAD, POST, OPTIONS");
}

TEST_CASE("origins: by default no page of elsewhere reads anything") {
    server_house house;
    raw_client client{house.port()};
    const answer read = client.get("/livez", "Origin: https://app.example.com\r\n");
    CHECK(read.status == 200);
    CHECK(read.field("access-control-allow-origin").empty());
    CHECK(read.field("vary").empty());
    CHECK(
        client.request("POST", "/v1/projections/x/pause", {}, "Origin: https://app.example.com\r\n")
            .status == 403);
}

// Bad input over real sockets: a 4xx problem for each, the connection closed after broken framing,
// nothing written.
#include "server_house.hpp"

#include <catch2/catch.hpp>

using namespace flexcore;
using namespace flexcore::tests;

namespace {

struct example {
    const char* name;
    std::string bytes;
};

std::string post(const std::string& fields, const std::string& body) {
    return "POST /v1/streams/s/events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" +
           fields + "\r\n" + body;
}

const std::string event = R"({"events":[{"type":"a","data":{"n":1}}]})";

}  // namespace

TEST_CASE("bad input: a chunk's header may be as long as a head, and no longer") {
    gateway::http_settings settings = server_house::quick();
    settings.header_bytes_max = 256u << 10;
    server_house house{settings};
    raw_client client{house.port()};
    client.send(post("Transfer-Encoding: chunked\r\n", "2;" + std::string(100'000, 'x')));
    client.send(std::string(200'000, 'x'));
    CHECK(client.receive().status == 400);
    CHECK(client.closed());
}

TEST_CASE("bad input: broken framing gets one 400, and nothing behind it is read") {
    server_house house;
    const std::string smuggled = post("Content-Length: 40\r\n", event);
    for (const example& one : std::vector<example>{
             {"two lengths", post("Content-Length: 40\r\nContent-Length: 0\r\n", event)},
             {"a repeated length", post("Content-Length: 40\r\nContent-Length: 40\r\n", event)},
             {"length and coding",
              post("Content-Length: 40\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
             {"another coding", post("Transfer-Encoding: gzip\r\n", "0\r\n\r\n")},
             {"coding in HTTP/1.0",
              "POST /v1/streams/s/events HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
             {"no Host", "GET /livez HTTP/1.1\r\n\r\n"},
             {"two Host", "GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
             {"obs-fold", "GET /livez HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"},
             {"space before the colon", "GET /livez HTTP/1.1\r\nHost : a\r\n\r\n"},
             {"LF alone", "GET /livez HTTP/1.1\nHost: a\n\n"},
             {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
             {"a chunk size that is none", post("Transfer-Encoding: chunked\r\n", "xyz\r\n")},
             {"a chunk size that overflows",
              post("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n")},
             {"a negative chunk size", post("Transfer-Encoding: chunked\r\n", "-1\r\n")},
             {"a chunk without its CRLF",
              post("Transfer-Encoding: chunked\r\n", "1\r\nxy\r\n0\r\n\r\n")},
             {"LF alone behind a chunk size",
              post("Transfer-Encoding: chunked\r\n", "1\nx\n0\n\n")},
             {"an endless chunk extension",
              post("Transfer-Encoding: chunked\r\n", "1;" + std::string(40'000, 'x'))},
         }) {
        INFO(one.name);
        raw_client client{house.port()};
        client.send(one.bytes + smuggled);
        const answer got = client.receive();
        CHECK(got.status == 400);
        CHECK(got.field("connection") == "close");
        CHECK(got.field("content-type") == "application/problem+json");
        CHECK_FALSE(got.field("x-request-id").empty());
        CHECK(client.closed());
    }
    CHECK(house.store.log->head() == 0);
    CHECK(house.metric("flexcore_http_bad_framing_total") == 17);
}

TEST_CASE("bad input: an answer to a good request comes before the 400 to the bad one behind it") {
    server_house house;
    raw_client client{house.port()};
    client.send(post("Content-Length: 40\r\n", event) + "GET / HTTP/1.1\r\n\r\n");
    CHECK(client.receive().status == 201);
    CHECK(client.receive().status == 400);
    CHECK(client.closed());
}

TEST_CASE("bad input: targets") {
    server_house house;
    raw_client client{house.port()};
    for (const char* target : {"/v1/streams/a%00/events",
                               "/v1/streams/a%0A/events",
                               "/v1/streams/%zz/events",
                               "/v1/streams/%/events",
                               "/v1/streams/%FF/events",
                               "/v1/streams//events",
                               "/v1/streams/a%C2%85b/events",
                               "/v1/events?after=-1",
                               "/v1/events?after=x",
                               "/v1/events?after=99999999999999999999",
                               "/v1/events?limit=0",
                               "/v1/events?limit=-1",
                               "/v1/events?limit=1001",
                               "/v1/events?limit=1e3",
                               "/v1/events?direction=up",
                               "/v1/events?since=never",
                               "/v1/events?types=%00",
                               "/v1/events?a=%zz",
                               "/v1/events?limit=1&limit=1",
                               "/v1/events?Limit=1",
                               "/v1/streams/a/events?from=0",
                               "/v1/streams/a/events?from=-1",
                               "/v1/streams/a/events?from=9223372036854775808",
                               "/v1/read-models/x?order=",
                               "/v1/read-models/x/y?min_position=-1",
                               "/v1/read-models/x/y?wait_ms=30001"}) {
        INFO(target);
        const answer got = client.get(target);
        CHECK(got.status == 400);
        CHECK(got.field("content-type") == "application/problem+json");
        CHECK(got.json().at("status") == 400);
    }
    CHECK(client.get("/v1/streams/" + std::string(1025, 'a') + "/events").status == 400);
    CHECK(client.get("/v1/streams/" + std::string(1024, 'a') + "/events").status == 404);
    CHECK(client.get("/v1/events/not-a-uuid").status == 404);
    CHECK(client.get("/" + std::string(8191, 'x')).status == 404);
    CHECK(client.get("/" + std::string(8192, 'x')).status == 414);
    raw_client other{house.port()};
    CHECK(other.get("/livez", "X: " + std::string(16'384, 'x') + "\r\n").status == 431);
}

TEST_CASE("bad input: JSON that is none, too deep, twofold or out of range") {
    server_house house;
    raw_client client{house.port()};
    const std::string deep = R"({"events":[{"type":"a","data":)" + std::string(100'000, '[');
    std::string nested;
    for (int i = 0; i < 65; ++i) nested.insert(0, 1, '[').append("]");
    for (const std::string& body :
         {std::string{""},
          std::string{"{"},
          std::string{"nonsense"},
          deep,
          R"({"events":[{"type":"a","data":)" + nested + "}]}",
          R"({"events":[{"type":"a","data":")" + std::string{"\xFF\xFE"} + "\"}]}",
          std::string{R"({"events":[{"type":"a","data":"\ud800"}]})"},
          std::string{R"({"events":[{"type":"a","data":1e999}]})"},
          std::string{R"({"events":[{"type":"a","data":{"x":1,"x":2}}]})"},
          std::string{R"({"events":[{"type":"a","data":{"x":1,"\u0078":2}}]})"},
          std::string{R"({"events":[{"type":"a","type":"b","data":1}]})"},
          std::string{R"({"events":[{"type":"a","data":1}],"evens":1})"},
          std::string{R"({"events":[{"type":"a","data":1,"stream":"x"}]})"},
          std::string{R"({"expected_version":-1,"events":[{"type":"a","data":1}]})"},
          std::string{R"({"expected_version":1e400,"events":[{"type":"a","data":1}]})"},
          std::string{
              R"({"expected_version":18446744073709551616,"events":[{"type":"a","data":1}]})"},
          std::string{R"({"events":[{"type":"a","data":1,"metadata":{"tenant":"x"}}]})"},
          std::string{R"({"events":[]})"},
          std::string{"[]"},
          std::string{"null"},
          std::string{R"({"events":[{"type":"a","data":1}]} x)"}}) {
        INFO(body.substr(0, 100));
        for (const char* target : {"/v1/streams/s/events", "/v1/append", "/v1/commands",
                                   "/v1/commands/batch", "/v1/queries/x", "/v1/plugins"}) {
            INFO(target);
            const answer got = client.post(target, body);
            CHECK(got.status >= 400);
            CHECK(got.status < 500);
            CHECK(got.field("content-type") == "application/problem+json");
        }
    }
    CHECK(house.store.log->head() == 0);
    CHECK(client.get("/livez").status == 200);
}

TEST_CASE("bad input: an Idempotency-Key where none is taken") {
    server_house house;
    raw_client client{house.port()};
    const std::string key = "Idempotency-Key: k\r\n";
    CHECK(client.get("/v1/events", key).status == 400);
    CHECK(client.post("/v1/commands/batch", R"({"commands":[]})", key).status == 400);
    CHECK(
        client.request("POST", "/v1/append", "{}\n", key + "Content-Type: application/x-ndjson\r\n")
            .status == 400);
    CHECK(client.post("/v1/streams/s/events", event, "Idempotency-Key:\r\n").status == 400);
    CHECK(client
              .post("/v1/streams/s/events", event,
                    "Idempotency-Key: " + std::string(256, 'x') + "\r\n")
              .status == 400);
    CHECK(client.post("/v1/streams/s/events", event, key + key).status == 400);
    CHECK(house.store.log->head() == 0);
    CHECK(client
              .post("/v1/streams/s/events", event,
                    "Idempotency-Key: " + std::string(255, 'x') + "\r\n")
              .status == 201);
}

// What the routes promise about events: appends, reads, conflicts, idempotency, operation.
#include "server_house.hpp"

#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

using namespace flexcore;
using namespace flexcore::tests;

namespace {

std::string events(int count, const std::string& type = "a") {
    std::string out = "[";
    for (int i = 0; i < count; ++i)
        out += std::string{i == 0 ? "" : ","} + R"({"type":")" + type + R"(","data":)" +
               std::to_string(i) + "}";
    return out + "]";
}

std::string text(const boost::json::value& v) { return std::string{v.as_string()}; }

}  // namespace

TEST_CASE("api: an append answers versions, position and ids, and is read back byte for byte") {
    server_house house;
    raw_client client{house.port()};
    const answer got = client.post(
        "/v1/streams/sales.order%2F1-%C3%A9/events",
        R"({"expected_version":"none","events":[{"type":"a","data":{"x" : 1.0},"tags":["t:1"],"metadata":{"correlation_id":"c"}},{"type":"b","data":null}]})");
    REQUIRE(got.status == 201);
    CHECK(got.field("flexcore-position") == "2");
    const auto body = got.json();
    CHECK(body.at("stream") == "sales.order/1-\xC3\xA9");
    CHECK(body.at("first_version") == 1);
    CHECK(body.at("last_version") == 2);
    CHECK(body.at("position") == 2);
    CHECK(body.at("events").at(1).at("version") == 2);
    CHECK(body.at("events").at(1).at("position") == 2);

    const answer read = client.get("/v1/streams/sales.order%2F1-%C3%A9/events");
    REQUIRE(read.status == 200);
    CHECK(
        read.body.find(R"("data":{"x" : 1.0},"metadata":{"correlation_id":"c"},"tags":["t:1"])") !=
        std::string::npos);
    CHECK(read.json().at("next").is_null());
    const std::string id = text(body.at("events").at(0).at("id"));
    CHECK(text(read.json().at("items").at(0).at("id")) == id);
    const answer one = client.get("/v1/events/" + id);
    CHECK(one.json() == read.json().at("items").at(0));

    const auto info = client.get("/v1/streams/sales.order%2F1-%C3%A9").json();
    CHECK(info.at("category") == "sales.order/1");
    CHECK(info.at("version") == 2);
    CHECK(info.at("settings").as_object().empty());
}

TEST_CASE("api: a conflict names the current version, and the same ids get the first answer") {
    server_house house;
    raw_client client{house.port()};
    const std::string body =
        R"({"expected_version":"none","events":[{"id":"0192aaaa-0000-7000-8000-000000000001","type":"a","data":1}]})";
    const answer first = client.post("/v1/streams/s/events", body);
    CHECK(first.status == 201);
    const answer again = client.post("/v1/streams/s/events", body);
    CHECK(again.status == 200);
    CHECK(again.body == first.body);
    CHECK(again.field("flexcore-position") == "1");
    answer got = client.post("/v1/streams/s/events",
                             R"({"expected_version":3,"events":[{"type":"a","data":1}]})");
    CHECK(got.status == 409);
    CHECK(got.code() == "version_conflict");
    CHECK(got.json().at("current_version") == 1);
    got = client.post("/v1/streams/other/events", body);
    CHECK(got.status == 409);
    CHECK(got.code() == "event_id_conflict");
    CHECK(house.store.log->head() == 1);
}

TEST_CASE("api: an idempotency key replays the first answer, another body is refused") {
    server_house house;
    raw_client client{house.port()};
    const std::string key = "Idempotency-Key: k-1\r\n";
    const answer first =
        client.post("/v1/streams/s/events", R"({"events":[{"type":"a","data":1}]})", key);
    CHECK(first.status == 201);
    CHECK(first.field("idempotent-replay").empty());
    const answer again =
        client.post("/v1/streams/s/events", R"({"events":[{"type":"a","data":1}]})", key);
    CHECK(again.status == 201);
    CHECK(again.body == first.body);
    CHECK(again.field("idempotent-replay") == "true");
    CHECK(again.field("flexcore-position") == "1");
    const answer other =
        client.post("/v1/streams/s/events", R"({"events":[{"type":"a","data":2}]})", key);
    CHECK(other.status == 422);
    CHECK(other.code() == "idempotency_conflict");
    // Another stream is another request under the same key; another route is another key.
    CHECK(
        client.post("/v1/streams/t/events", R"({"events":[{"type":"a","data":1}]})", key).status ==
        422);
    CHECK(client
              .post("/v1/append",
                    R"({"appends":[{"stream":"u","events":[{"type":"a","data":1}]}]})", key)
              .status == 201);
    CHECK(house.store.log->head() == 2);
}

TEST_CASE("api: several streams are one atomic write with all its failures named") {
    server_house house;
    raw_client client{house.port()};
    answer got = client.post(
        "/v1/append",
        R"({"appends":[{"stream":"a","expected_version":"none","events":[{"type":"x","data":1},{"type":"x","data":2}]},
                       {"stream":"b","events":[{"type":"y","data":1}]}],
            "condition":{"none_match":{"types":["z"]},"after":"0"}})");
    REQUIRE(got.status == 201);
    CHECK(got.json().at("position") == 3);
    CHECK(got.json().at("appends").at(0).at("last_version") == 2);
    CHECK(got.json().at("appends").at(1).at("stream") == "b");
    got = client.post(
        "/v1/append",
        R"({"appends":[{"stream":"a","expected_version":"none","events":[{"type":"x","data":1}]},
                       {"stream":"c","events":[{"type":"y","data":1}]},
                       {"stream":"b","expected_version":7,"events":[{"type":"y","data":1}]}],
            "condition":{"none_match":[{"types":["y"]}]}})");
    CHECK(got.status == 409);
    CHECK(got.code() == "append_conflict");
    INFO(got.body);
    CHECK(got.json().at("failures").as_array().size() == 3);
    CHECK(house.store.log->head() == 3);
}

TEST_CASE("api: streams are read both ways, page by page") {
    server_house house;
    raw_client client{house.port()};
    (void)client.post("/v1/streams/s/events", R"({"events":)" + events(25) + "}");
    std::vector<std::int64_t> versions;
    std::string from = "1";
    for (int page = 0; page < 3; ++page) {
        const auto got = client.get("/v1/streams/s/events?limit=10&from=" + from).json();
        for (const auto& e : got.at("items").as_array())
            versions.push_back(e.at("version").as_int64());
        if (page < 2)
            from = text(got.at("next"));
        else
            CHECK(got.at("next").is_null());
    }
    REQUIRE(versions.size() == 25);
    CHECK(std::is_sorted(versions.begin(), versions.end()));
    const auto last = client.get("/v1/streams/s/events?direction=backward&limit=2").json();
    CHECK(last.at("items").at(0).at("version") == 25);
    CHECK(last.at("next") == "23");
    // Beyond what runs on the io thread.
    CHECK(client.get("/v1/streams/s/events?limit=1000").json().at("items").as_array().size() == 25);
    CHECK(client.get("/v1/streams/none/events").code() == "stream_not_found");
    CHECK(client.get("/v1/streams/none").code() == "stream_not_found");
}

TEST_CASE("api: the whole log is read with filters, and next is null only at the head") {
    server_house house;
    raw_client client{house.port()};
    (void)client.post("/v1/streams/a-1/events", R"({"events":)" + events(5, "x") + "}");
    (void)client.post("/v1/streams/b-1/events", R"({"events":)" + events(5, "y") + "}");
    auto got = client.get("/v1/events?types=y&limit=3").json();
    CHECK(got.at("items").as_array().size() == 3);
    REQUIRE(got.at("next").is_string());
    got = client.get("/v1/events?types=y&limit=3&after=" + text(got.at("next"))).json();
    CHECK(got.at("items").as_array().size() == 2);
    CHECK(got.at("next").is_null());
    CHECK(client.get("/v1/events?categories=a").json().at("items").as_array().size() == 5);
    CHECK(client.get("/v1/events?stream_prefix=b-").json().at("items").as_array().size() == 5);
    CHECK(client.get("/v1/events?types=x,y&categories=b").json().at("items").as_array().size() ==
          5);
    got = client.get("/v1/events?direction=backward&limit=1").json();
    CHECK(got.at("items").at(0).at("position") == 10);
    const auto streams = client.get("/v1/streams?category=a").json();
    REQUIRE(streams.at("items").as_array().size() == 1);
    CHECK(streams.at("items").at(0).at("stream") == "a-1");
    CHECK(client.get("/v1/streams?limit=1").json().at("next") == "a-1");
    CHECK(client.get("/v1/streams?after=a-1").json().at("items").at(0).at("stream") == "b-1");
}

TEST_CASE("api: commands and queries nobody offers are 404, their catalogues are empty") {
    server_house house;
    raw_client client{house.port()};
    answer got = client.post("/v1/commands", R"({"type":"a.b","id":"1","data":{}})");
    CHECK(got.status == 404);
    CHECK(got.code() == "not_found");
    got = client.post("/v1/commands/batch",
                      R"({"commands":[{"type":"a.b","id":"1","data":{}},{"type":"a.b"}]})");
    REQUIRE(got.status == 200);
    CHECK(got.json().at("results").at(0).at("status") == 404);
    CHECK(got.json().at("results").at(1).at("code") == "validation_failed");
    CHECK(client.get("/v1/queries/a.b?x=1").status == 404);
    CHECK(client.post("/v1/queries/a.b", R"({"params":{}})").status == 404);
    CHECK(client.get("/v1/commands").body == R"({"items":[],"next":null})");
    CHECK(client.get("/v1/queries").body == R"({"items":[],"next":null})");
    CHECK(client.get("/v1/read-models").body == R"({"items":[],"next":null})");
    CHECK(client.get("/v1/read-models/none/1").status == 404);
    CHECK(client.get("/v1/read-models/none").status == 404);
    CHECK(client.get("/v1/projections/none").status == 404);
    CHECK(client.request("POST", "/v1/projections/none/rebuild").status == 404);
    CHECK(client.post("/v1/projections/none/skip", R"({"position":"1"})").status == 404);
    CHECK(client.get("/v1/plugins/none").status == 404);
    CHECK(client.request("DELETE", "/v1/plugins/none").status == 404);
    CHECK(client.get("/v1/plugins/none/health").status == 404);
    CHECK(client.request("POST", "/v1/plugins/none/execute", "bytes").status == 404);
}

TEST_CASE("api: the operator's routes") {
    server_house house;
    raw_client client{house.port()};
    CHECK(client.get("/readyz").json().at("status") == "ready");
    house.health.add("store.test", true, [] {
        return telemetry::health_report{telemetry::health::unhealthy, "no space"};
    });
    answer got = client.get("/readyz?verbose");
    CHECK(got.status == 503);
    CHECK(got.json().at("checks").at("store.test") == "unhealthy: no space");
    CHECK(got.field("retry-after") == "1");
    got = client.get("/healthz");
    CHECK(got.status == 503);
    CHECK(got.json().at("status") == "unhealthy");
    CHECK(got.json().at("version") == "1.2.3");
    CHECK(client.get("/livez").status == 200);
    got = client.get("/metrics");
    CHECK(got.field("content-type").starts_with("text/plain; version=0.0.4"));
    CHECK(client.get("/v1/version").body == R"({"version":"1.2.3","api":"v1"})");
    CHECK(client.get("/openapi.json").json().at("openapi") == "3.1.0");
    CHECK(client.get("/docs").field("content-type").starts_with("text/html"));
}

TEST_CASE("api: plugins are not loaded over other than loopback addresses") {
    gateway::http_settings settings = server_house::quick();
    settings.host = "0.0.0.0";
    server_house house{settings};
    raw_client client{house.port()};
    const answer got = client.post("/v1/plugins", R"({"path":"/x.so"})");
    CHECK(got.status == 403);
    CHECK(got.code() == "forbidden");
    CHECK(client.request("DELETE", "/v1/plugins/x").status == 403);
}

TEST_CASE("api: settings that were set are answered also when the stream has been deleted since") {
    server_house house;
    raw_client client{house.port()}, other{house.port()};
    (void)client.post("/v1/streams/a-1/events", R"({"events":[{"type":"a","data":1}]})");
    held_workers held{house};
    const std::string body = R"({"max_count":3})";
    client.send(
        "PUT /v1/streams/a-1/settings HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        "Content-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body);
    CHECK(eventually([&] { return house.workers.waiting() >= 1; }));
    const answer gone = other.request("DELETE", "/v1/streams/a-1");
    CHECK(gone.status == 204);
    CHECK(gone.field("content-type").empty());
    held.let_go();
    const answer set = client.receive();
    CHECK(set.status == 200);
    CHECK(set.json().at("settings").at("max_count") == 3);
    CHECK(set.json().at("version") == 1);
}

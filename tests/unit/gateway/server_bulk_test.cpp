// Bulk appends as NDJSON over real sockets.
#include "server_house.hpp"

#include <catch2/catch.hpp>

#include <thread>

using namespace flexcore;
using namespace flexcore::tests;

namespace {

std::string line(int i) {
    return R"({"stream":"s-)" + std::to_string(i % 10) + R"(","events":[{"type":"a","data":)" +
           std::to_string(i) + "}]}\n";
}

const std::string chunked_head =
    "POST /v1/append HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\n"
    "Transfer-Encoding: chunked\r\n\r\n";

std::string chunk(const std::string& text) {
    char size[32];
    std::snprintf(size, sizeof size, "%zx\r\n", text.size());
    return size + text + "\r\n";
}

std::size_t lines_in(const std::string& text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

TEST_CASE("bulk: each line is answered as it comes, before the next is sent") {
    server_house house;
    raw_client client{house.port()};
    client.send(chunked_head);
    client.send(chunk(line(0)));
    const answer head = client.receive_head();
    CHECK(head.status == 200);
    CHECK(head.field("content-type") == "application/x-ndjson");
    for (int i = 0; i < 20; ++i) {
        const std::string got =
            client.receive_until([](const std::string& text) { return lines_in(text) == 1; });
        CHECK(got == "{\"stream\":\"s-" + std::to_string(i % 10) +
                         "\",\"first_version\":" + std::to_string(i / 10 + 1) +
                         ",\"last_version\":" + std::to_string(i / 10 + 1) +
                         ",\"position\":" + std::to_string(i + 1) + "}\n");
        client.send(chunk(line(i + 1)));
    }
    client.send("0\r\n\r\n");
    const std::string rest = client.receive_until([](const std::string&) { return false; });
    CHECK(lines_in(rest) == 1);
    CHECK(client.get("/livez").status == 200);
}

TEST_CASE("bulk: a wrong line is answered in its place and harms nobody else") {
    server_house house;
    raw_client client{house.port()};
    const std::string body =
        line(1) + "{\n" +
        R"({"stream":"s-1","expected_version":7,"events":[{"type":"a","data":1}]})" + "\n" +
        R"({"stream":"","events":[{"type":"a","data":1}]})" + "\n" + line(1);
    const answer got = client.request("POST", "/v1/append", body,
                                      "Content-Type: application/x-ndjson; charset=utf-8\r\n");
    CHECK(got.complete);
    REQUIRE(lines_in(got.body) == 5);
    CHECK(got.body.find(R"({"status":400,"code":"bad_request")") != std::string::npos);
    CHECK(got.body.find(R"({"status":409,"code":"version_conflict")") != std::string::npos);
    CHECK(got.body.find(R"("current_version":1)") != std::string::npos);
    CHECK(got.body.find(R"("pointer":"/stream")") != std::string::npos);
    CHECK(got.body.ends_with("\"first_version\":2,\"last_version\":2,\"position\":2}\n"));
}

TEST_CASE("bulk: the body limit is per line") {
    gateway::http_settings settings = server_house::quick();
    settings.body_bytes_max = 300;
    server_house house{settings};
    raw_client client{house.port()};
    std::string body;
    for (int i = 0; i < 100; ++i) body += line(i);
    body += std::string(10'000, 'x') + "\n" + line(1);
    const answer got =
        client.request("POST", "/v1/append", body, "Content-Type: application/x-ndjson\r\n");
    CHECK(lines_in(got.body) == 102);
    CHECK(got.body.find("\"status\":413") != std::string::npos);
    CHECK(house.store.log->head() == 101);
}

TEST_CASE("bulk: a client that reads only at the end gets everything") {
    server_house house;
    raw_client client{house.port(), 4096};
    constexpr int count = 20'000;
    std::string body;
    for (int i = 0; i < count; ++i) body += line(i);
    // Far more answers than the socket's buffers hold; the server keeps them meanwhile.
    const answer got =
        client.request("POST", "/v1/append", body, "Content-Type: application/x-ndjson\r\n");
    CHECK(got.complete);
    CHECK(lines_in(got.body) == count);
    CHECK(got.body.ends_with("\"position\":" + std::to_string(count) + "}\n"));
    CHECK(house.store.log->head() == count);
}

TEST_CASE("bulk: unsent answers are bounded, at the bound the server stops reading") {
    gateway::http_settings settings = server_house::quick();
    settings.output_bytes_max = 100'000;
    server_house house{settings};
    raw_client client{house.port(), 4096};
    client.send(chunked_head);
    // The client writes as long as it may, and reads nothing.
    std::string pending;
    std::size_t sent_lines = 0;
    int refusals = 0;
    while (refusals < 20) {
        if (pending.size() < 100'000) {
            std::string lines;
            for (int i = 0; i < 100; ++i) lines += line(i);
            pending += chunk(lines);
            sent_lines += 100;
        }
        const std::size_t sent = client.send_some(pending);
        pending.erase(0, sent);
        if (sent != 0) {
            refusals = 0;
            continue;
        }
        const auto before = house.store.log->head();
        ++refusals;
        // Full: nothing more is taken until the client reads.
        (void)eventually([&, polls = 0]() mutable { return ++polls > 5; });
        if (house.store.log->head() != before) refusals = 0;
    }
    CHECK(house.store.log->head() < sent_lines);
    // Now it reads while it sends the rest, and nothing is lost.
    std::jthread sender{[&] { client.send(pending + "0\r\n\r\n"); }};
    const answer got = client.receive();
    sender.join();
    CHECK(got.complete);
    CHECK(lines_in(got.body) == sent_lines);
    CHECK(house.store.log->head() == sent_lines);
}

TEST_CASE("bulk: broken framing ends the answer without its end mark") {
    server_house house;
    {
        raw_client client{house.port()};
        client.send(chunked_head + chunk(line(1)) + chunk(line(2)) + "nonsense\r\n");
        const answer got = client.receive();
        CHECK(got.status == 200);
        CHECK(lines_in(got.body) == 2);
        CHECK_FALSE(got.complete);
        CHECK(client.closed());
    }
    {
        // Nothing has been said yet: then it is a 400.
        raw_client client{house.port()};
        client.send(chunked_head + "nonsense\r\n");
        const answer got = client.receive();
        CHECK(got.status == 400);
        CHECK(client.closed());
    }
    {
        raw_client client{house.port()};
        client.send(chunked_head + chunk(line(3) + "{\"stream\":\"half"));
        client.shut_down_sending();
        const answer got = client.receive();
        CHECK(lines_in(got.body) == 1);
        CHECK_FALSE(got.complete);
    }
    CHECK(house.store.log->head() == 3);
}

TEST_CASE("bulk: an empty body has an empty answer") {
    server_house house;
    raw_client client{house.port()};
    for (const char* fields : {"Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n"}) {
        client.send(std::string{"POST /v1/append HTTP/1.1\r\nHost: a\r\nContent-Type: "
                                "application/x-ndjson\r\n"} +
                    fields + "\r\n" + (fields[0] == 'T' ? "0\r\n\r\n" : ""));
        const answer got = client.receive();
        CHECK(got.status == 200);
        CHECK(got.complete);
        CHECK(got.body.empty());
    }
}

TEST_CASE("bulk: commands are answered in order, line by line") {
    server_house house;
    raw_client client{house.port()};
    const answer got = client.request("POST", "/v1/commands/batch",
                                      "{\"type\":\"a\",\"id\":\"1\",\"data\":1}\nnonsense\n",
                                      "Content-Type: application/x-ndjson\r\n");
    CHECK(got.status == 200);
    REQUIRE(lines_in(got.body) == 2);
    CHECK(got.body.starts_with("{\"status\":404,\"code\":\"not_found\""));
    CHECK(got.body.find("\n{\"status\":400,\"code\":\"bad_request\"") != std::string::npos);
}

#include "cli/http_client.hpp"
#include "cli/load_connection.hpp"
#include "cli/load_histogram.hpp"
#include "cli/load_run.hpp"
#include "cli/load_template.hpp"
#include "scripted_server.hpp"
#include "support/http.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <set>

using namespace flexcore::cli;

namespace {

std::string rendered(std::string_view text, std::uint64_t n = 7, std::uint64_t connection = 3) {
    auto made = load_template::parse(text);
    REQUIRE(made);
    std::string out;
    made->render(out, n, connection);
    return out;
}

/// Feeds a reply in parts of this size; status and body.
std::pair<int, std::string> scanned(std::string_view reply, std::size_t part) {
    reply_scanner scanner;
    std::string body;
    while (!reply.empty()) {
        const auto taken = scanner.take(reply.substr(0, part),
                                        [&](std::string_view bytes) { body.append(bytes); });
        REQUIRE(taken);
        reply.remove_prefix(*taken);
        if (scanner.done()) break;
    }
    CHECK(scanner.done());
    CHECK(reply.empty());
    return {scanner.status(), body};
}

}  // namespace

TEST_CASE("load: marks become numbers, ids and times, everything else stays") {
    CHECK(rendered("a$(n)b$(c)c$(m5)") == "a7b3c2");
    CHECK(rendered("no marks, $5 and $(n") == "no marks, $5 and $(n");
    CHECK(rendered("").empty());
    CHECK(std::stoul(rendered("$(r10)")) < 10);
    const auto time = std::stoull(rendered("$(t)"));
    CHECK(time <= monotonic_ns());
    const auto uuid = rendered("$(u4)");
    CHECK(uuid.size() == 36);
    CHECK(uuid[14] == '7');
    const auto ordered = rendered("$(u7)$(u7)");
    CHECK(ordered.substr(0, 36) < ordered.substr(36));
    for (const char* unknown : {"$(x)", "$(r)", "$(r0)", "$(rx)", "$()", "$(nn)"}) {
        INFO(unknown);
        CHECK_FALSE(load_template::parse(unknown));
    }
}

TEST_CASE("load: replies are scanned whatever the parts they come in") {
    const std::string fixed = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    const std::string chunked =
        "HTTP/1.1 422 No\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    const std::string empty = "HTTP/1.1 204 Gone\r\nX-Y: z\r\n\r\n";
    for (std::size_t part = 1; part < 80; ++part) {
        INFO(part);
        CHECK(scanned(fixed, part) == std::pair{200, std::string{"hello"}});
        CHECK(scanned(chunked, part) == std::pair{422, std::string{"hello"}});
        CHECK(scanned(empty, part) == std::pair{204, std::string{}});
    }
    for (const char* broken : {"FTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 abc\r\n\r\n",
                               "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
                               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
        reply_scanner scanner;
        const auto taken = scanner.take(broken, nullptr);
        REQUIRE_FALSE(taken);
        CHECK(taken.error().code == cli_errc::bad_answer);
    }
}

TEST_CASE("load: a histogram gives parts within two per cent, and adds up") {
    load_histogram low, high;
    for (std::uint64_t us = 1; us <= 500; ++us) low.add(us * 1'000);
    for (std::uint64_t us = 501; us <= 1'000; ++us) high.add(us * 1'000);
    CHECK(load_histogram{}.part_us(0.5) == 0);
    low.add(high);
    CHECK(low.count() == 1'000);
    CHECK(low.part_us(0.5) == Approx(500).epsilon(0.02));
    CHECK(low.part_us(0.99) == Approx(990).epsilon(0.02));
    CHECK(low.max_us() == 1'000);
    CHECK(low.part_us(1) == 1'000);
}

TEST_CASE("load: a rate is kept over all connections, also with more threads than these") {
    flexcore::test::scripted_server server{[](flexcore::test::scripted_connection& c, int) {
        for (std::string r = c.request(); !r.empty(); r = c.request())
            c.send(flexcore::test::answer_text("{}"));
    }};
    load_plan plan;
    plan.where = url{"127.0.0.1", std::to_string(server.port()), ""};
    plan.target = "/x";
    plan.connections = 2;
    plan.threads = 8;
    plan.warmup_s = 0;
    plan.seconds = 1;
    plan.rate = 200;
    std::atomic<std::uint64_t> answered{0};
    const auto done = run_load(plan, {[] { return true; }, &answered});
    REQUIRE(done);
    CHECK(done->error_count() == 0);
    // What is due late is sent all the same, so this is not about the machine's speed.
    CHECK(answered > 100);
    CHECK(answered <= 204);
}

// The operations of the API as sub-commands: text for people, --json for programs, --watch.
#include "program.hpp"
#include "support/server.hpp"

#include <csignal>

#include <catch2/catch.hpp>

#include <boost/json/parse.hpp>

using namespace flexcore::test;

namespace {

struct house {
    server s;
    explicit house(std::vector<std::string> plugins = {"counter", "echo"})
        : s{{.plugins = std::move(plugins)}} {}

    finished operator()(std::vector<std::string> args, std::string input = {}) const {
        return cli(std::move(args), std::move(input), {{"FLEXCORE_URL", s.url()}});
    }
    /// The same with --json; the answer's lines.
    std::vector<boost::json::value> lines(std::vector<std::string> args) const {
        args.emplace_back("--json");
        const auto done = (*this)(std::move(args));
        INFO(done.err);
        REQUIRE(done.code == 0);
        return json_lines(done.out);
    }
    void increment(const std::string& id, int times = 1) const {
        std::string lines;
        for (int i = 0; i < times; ++i)
            lines += R"({"type":"counter.increment","id":")" + id + R"(","data":{"by":2}})" + "\n";
        REQUIRE((*this)({"command", "send", "--file", "-", "--quiet"}, lines).code == 0);
    }
    /// All projections have seen everything.
    void settle() const {
        REQUIRE(wait_until([&] {
            for (const auto& each : lines({"projections", "list"}))
                if (each.at("lag_events") != 0 || each.at("state") != "running") return false;
            return true;
        }));
    }
};

}  // namespace

TEST_CASE("cli api: streams are listed, filtered, page by page, and shown") {
    const house run;
    for (int i = 1; i <= 5; ++i) run.increment("c" + std::to_string(i), i);
    REQUIRE(run({"events", "append", "notes-1", "--type", "t"}).code == 0);
    const auto all = run({"streams", "list"});
    CHECK(contains(all.out, "stream "));
    CHECK(count_of(all.out, "\n") == 7);
    CHECK(run.lines({"streams", "list", "--category", "counter"}).size() == 5);
    CHECK(run.lines({"streams", "list", "--prefix", "counter-c3"}).at(0).at("version") == 3);
    CHECK(run.lines({"streams", "list", "--all"}).size() == 6);
    const auto page = run({"streams", "list", "--limit", "2"});
    CHECK(count_of(page.out, "counter-c") >= 2);
    CHECK(contains(page.out, "more: --after '"));
    CHECK(run.lines({"streams", "list", "--after", "counter-c5"}).size() == 1);
    const auto one = run({"streams", "show", "counter-c2"});
    CHECK(contains(one.out, "version"));
    CHECK(run.lines({"streams", "show", "counter-c2"}).at(0).at("version") == 2);
    const auto none = run({"streams", "show", "nothing"});
    CHECK(none.code == 1);
    CHECK(contains(none.err, "stream_not_found"));
}

TEST_CASE("cli api: a stream's settings are changed one by one, and a stream is deleted") {
    const house run;
    for (int i = 0; i < 5; ++i) REQUIRE(run({"events", "append", "n-1", "--type", "t"}).code == 0);
    CHECK(contains(run({"streams", "settings", "n-1"}).out, "every event is kept"));
    CHECK(run({"streams", "settings", "n-1", "--max-count", "3", "--max-age", "30d"}).code == 0);
    const auto set = run.lines({"streams", "settings", "n-1", "--truncate-before", "4"}).at(0);
    CHECK(set.at("max_count") == 3);
    CHECK(set.at("max_age_s") == 30 * 86'400);
    CHECK(set.at("truncate_before") == 4);
    CHECK(run.lines({"streams", "settings", "n-1"}).at(0) == set);
    CHECK(run.lines({"events", "read", "--stream", "n-1"}).size() == 2);
    const auto less = run.lines({"streams", "settings", "n-1", "--max-age", "none"}).at(0);
    CHECK_FALSE(less.as_object().contains("max_age_s"));
    CHECK(less.at("max_count") == 3);

    const auto stale = run({"streams", "delete", "n-1", "--expected-version", "4"});
    CHECK(stale.code == 1);
    CHECK(contains(stale.err, "version_conflict"));
    CHECK(
        contains(run({"streams", "delete", "n-1", "--expected-version", "5"}).out, "deleted: n-1"));
    CHECK(run({"events", "append", "n-1", "--type", "t"}).code == 0);
    CHECK(run.lines({"streams", "delete", "n-1", "--permanent", "--yes"}).at(0).at("permanent") ==
          true);
    CHECK(contains(run({"events", "append", "n-1", "--type", "t"}).err, "stream_deleted"));
}

TEST_CASE("cli api: projections are listed, paused, resumed and rebuilt to the end") {
    const house run;
    run.increment("c", 50);
    run.settle();
    const auto all = run({"projections", "list"});
    CHECK(contains(all.out, "counters"));
    CHECK(contains(all.out, "running"));
    CHECK(contains(run({"projections", "pause", "counters"}).out, "counters is paused"));
    run.increment("c", 1);
    CHECK(run.lines({"projections", "show", "counters"}).at(0).at("state") == "paused");
    CHECK(run.lines({"projections", "resume", "counters"}).at(0).at("name") == "counters");
    run.settle();
    const auto rebuilt = run({"projections", "rebuild", "counters", "--wait"});
    INFO(rebuilt.err);
    CHECK(rebuilt.code == 0);
    CHECK_FALSE(contains(rebuilt.out, "rebuilding"));
    run.settle();
    CHECK(run.lines({"read-model", "get", "counters", "c"}).at(0).at("row").at("value") == 102);
    const auto unknown = run({"projections", "rebuild", "nothing", "--json"});
    CHECK(unknown.code == 1);
    CHECK(boost::json::parse(unknown.out).at("code") == "not_found");
    const auto skip = run({"projections", "skip", "counters", "--position", "1"});
    CHECK(skip.code == 1);
    CHECK(contains(skip.err, "409"));
}

TEST_CASE("cli api: plugins are loaded, shown, executed, asked how they are, and unloaded") {
    const house run{{"echo"}};
    const auto loaded = run({"plugins", "load", plugin_file("counter").string()});
    INFO(loaded.err);
    REQUIRE(loaded.code == 0);
    CHECK(contains(loaded.out, "loaded: counter 1.0.0"));
    CHECK(contains(loaded.out, "counter.increment"));
    CHECK(count_of(run({"plugins", "list"}).out, "serving") == 2);
    CHECK(run.lines({"plugins", "list"}).size() == 2);
    CHECK(run.lines({"plugins", "show", "counter"}).at(0).at("state") == "serving");
    CHECK(run({"plugins", "health", "counter"}).out == "healthy\n");
    CHECK(run.lines({"plugins", "health", "counter"}).at(0).at("status") == "healthy");
    CHECK(run({"plugins", "execute", "echo", "--data", "hello"}).out == "hello");
    std::string bytes;
    for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
    CHECK(run({"plugins", "execute", "echo", "--data", "-"}, bytes).out == bytes);
    const temp_folder folder;
    const std::string file = (folder / "out").string();
    CHECK(run({"plugins", "execute", "echo", "--data", "-", "--output", file}, bytes).code == 0);
    CHECK(read_file(file) == bytes);
    const auto as_json = run.lines({"plugins", "execute", "echo", "--data", "né"}).at(0);
    CHECK(as_json.at("bytes") == 3);
    CHECK(as_json.at("text") == "né");
    CHECK(contains(run({"plugins", "unload", "counter"}).out, "unloaded: counter"));
    CHECK(run({"plugins", "show", "counter"}).code == 1);
    const auto health = run({"plugins", "health", "counter", "--json"});
    CHECK(health.code == 1);
    CHECK(boost::json::parse(health.out).at("code") == "not_found");
    CHECK(run({"plugins", "load", "no.so"}).code == 1);
}

TEST_CASE("cli api: rows of read models by key, and by conditions in an order") {
    const house run;
    for (int i = 1; i <= 4; ++i) run.increment("c" + std::to_string(i), i);
    run.settle();
    CHECK(contains(run({"read-model", "list"}).out, "counters"));
    CHECK(run.lines({"read-model", "list"}).at(0).at("indexed").at(0) == "value");
    const auto rows = run.lines({"read-model", "list", "counters", "--where", "value>=4", "--where",
                                 "value<8", "--order=-value"});
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].at("key") == "c3");
    CHECK(rows[1].at("key") == "c2");
    CHECK(run.lines({"read-model", "list", "counters", "--where", "value=2"}).size() == 1);
    const auto page = run({"read-model", "list", "counters", "--limit", "3"});
    CHECK(contains(page.out, "key  value"));
    CHECK(contains(page.out, "more: --after '"));
    CHECK(run.lines({"read-model", "list", "counters", "--all"}).size() == 4);
    const auto row = run({"read-model", "get", "counters", "c2", "--min-position", "1"});
    CHECK(row.out == "field  value\nvalue      4\n");
    CHECK(run({"read-model", "get", "counters", "nobody"}).code == 1);
    const auto unindexed = run({"read-model", "list", "counters", "--where", "colour=red"});
    CHECK(unindexed.code == 1);
    CHECK(contains(unindexed.err, "colour"));
}

TEST_CASE("cli api: a condition that no row can meet is noted, one that only meets none is not") {
    const house run;
    run.increment("c1", 1);
    run.settle();
    const auto listed = [&](const char* condition) {
        auto done = run({"read-model", "list", "counters", "--where", condition});
        CHECK(done.code == 0);
        CHECK(done.out == "no rows\n");
        return std::move(done.err);
    };
    CHECK(listed("value>abc") ==
          "note: no row can meet value>abc: value holds numbers only, and abc is a text\n");
    CHECK(contains(listed("value="), R"(and "" is a text)"));
    CHECK(contains(listed(R"(value<="7")"), "numbers only"));
    CHECK(listed("value>1000").empty());
    CHECK(listed("value=null").empty());
    const auto json = run({"read-model", "list", "counters", "--where", "value>=abc", "--json"});
    CHECK(json.out.empty());
    CHECK(contains(json.err, "no row can meet value>=abc"));
    const house orders{{"orders"}};
    CHECK(orders({"read-model", "list", "orders", "--where", "total_minor>abc"}).err.empty());
}

TEST_CASE("cli api: the catalogue says what commands and queries there are and what they take") {
    const house run;
    CHECK(contains(run({"commands"}).out, "counter.increment"));
    CHECK(contains(run({"queries"}).out, "counter.value"));
    const auto command = run({"commands", "counter.increment"});
    CHECK(contains(command.out, "(plugin counter)"));
    CHECK(contains(command.out, "by"));
    CHECK(run.lines({"queries", "counter.value"}).at(0).at("schema").at("required").at(0) == "id");
    CHECK(contains(command.out, "1 to 1000000000, default 1"));
    const auto none = run({"commands", "counter.nothing"});
    CHECK(none.code == 1);
    CHECK(contains(none.err, "`flexcore commands` lists them"));
}

TEST_CASE("cli api: a command's card says what each element of a list must contain") {
    const house run{{"orders"}};
    const auto card = run({"commands", "sales.place_order"});
    INFO(card.out);
    CHECK(card.code == 0);
    CHECK(contains(card.out, "string or null"));
    CHECK(contains(card.out, "at most 10000 elements"));
    CHECK(contains(card.out, "lines[].sku "));
    CHECK(contains(card.out, "1 to 100 characters"));
    CHECK(contains(card.out, "-1000000000 to 1000000000"));
    const auto query = run({"queries", "sales.top_products"});
    CHECK(contains(query.out, "1 to 1000, default 10"));
}

TEST_CASE("cli api: one event by its id, and one append over several streams") {
    const house run;
    const temp_folder folder;
    const std::string file = (folder / "transfer.json").string();
    write_file(file, R"({"appends":[
        {"stream":"account-1","expected_version":"none",
         "events":[{"id":"0192a4b0-0000-7000-8000-000000000001","type":"taken","data":5}]},
        {"stream":"account-2","events":[{"type":"given","data":5}]}]})");
    for (int i = 0; i < 2; ++i) {  // the key makes the second a replay
        const auto done = run({"events", "append", "--atomic", file, "--idempotency-key", "t1"});
        INFO(done.err);
        CHECK(done.code == 0);
        CHECK(contains(done.out, "account-2"));
    }
    CHECK(run.lines({"events", "read", "--all"}).size() == 2);
    const auto conflict = run({"events", "append", "--atomic", file, "--json"});
    CHECK(conflict.code == 1);
    CHECK(boost::json::parse(conflict.out).at("code").is_string());
    const auto event = run.lines({"events", "show", "0192a4b0-0000-7000-8000-000000000001"}).at(0);
    CHECK(event.at("stream") == "account-1");
    CHECK(run({"events", "show", "0192a4b0-0000-7000-8000-00000000000f"}).code == 1);
}

TEST_CASE("cli api: --watch prints again what has changed and ends by Ctrl-C with 0") {
    const house run;
    run.increment("c");
    run.settle();
    for (const std::vector<std::string>& what :
         {std::vector<std::string>{"streams", "show", "counter-c"},
          {"streams", "list"},
          {"read-model", "get", "counters", "c"},
          {"projections", "list"}}) {
        auto args = what;
        args.insert(args.end(), {"--watch", "--every", "0.1", "--json", "--url", run.s.url()});
        process watching{flexcore_program(), {args, {}, {}, {}}};
        REQUIRE(wait_until([&] { return contains(watching.out(), "\n"); }));
        const auto first = watching.out();
        run.increment("c");
        CHECK(wait_until([&] { return watching.out().size() > first.size(); }));
        watching.signal(SIGINT);
        const auto end = watching.wait();
        REQUIRE(end);
        CHECK(end->code == 0);
        CHECK(json_lines(watching.out()).size() >= 2);
    }
    process health{flexcore_program(), {{"health", "--watch", "--url", run.s.url()}, {}, {}, {}}};
    REQUIRE(wait_until([&] { return contains(health.out(), "healthy"); }));
    health.signal(SIGINT);
    const auto end = health.wait();
    REQUIRE(end);
    CHECK(end->code == 0);
}

TEST_CASE("cli api: --watch goes on when the server comes back") {
    const temp_folder folder;
    const std::uint16_t port = free_port();
    server s{{.plugins = {"counter"}, .port = port}};
    process watching{
        flexcore_program(),
        {{"plugins", "list", "--watch", "--every", "0.1", "--url", s.url()}, {}, {}, {}}};
    REQUIRE(wait_until([&] { return contains(watching.out(), "serving"); }));
    s.kill_hard();
    REQUIRE(wait_until([&] { return contains(watching.err(), "cannot reach"); }));
    s.start();
    REQUIRE(s.http("POST", "/v1/commands", R"({"type":"counter.increment","id":"c","data":{}})")
                .status == 200);
    CHECK(wait_until([&] { return count_of(watching.out(), "serving") >= 2; }));
    CHECK(count_of(watching.err(), "cannot reach") == 1);
    watching.signal(SIGTERM);
    const auto end = watching.wait();
    REQUIRE(end);
    CHECK(end->code == 0);
}

TEST_CASE("cli events: tail ends by Ctrl-C with 0") {
    server s;
    REQUIRE(cli({"events", "append", "n", "--type", "t", "--url", s.url()}).code == 0);
    process tail{flexcore_program(),
                 {{"events", "tail", "--from", "start", "--url", s.url()}, {}, {}, {}}};
    REQUIRE(wait_until([&] { return contains(tail.out(), "n@1"); }));
    tail.signal(SIGINT);
    const auto end = tail.wait();
    REQUIRE(end);
    CHECK(end->code == 0);
}

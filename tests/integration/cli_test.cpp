#include "program.hpp"
#include "support/server.hpp"

#include <catch2/catch.hpp>

#include <boost/json/parse.hpp>

using namespace flexcore::test;

TEST_CASE("usage: the examples of a group of sub-commands are its own") {
    for (const std::string group : {"command", "config", "events", "streams", "read-model",
                                    "projections", "plugins", "bench"}) {
        INFO(group);
        const auto told = cli({group, "--help"});
        CHECK(told.code == 0);
        const auto at = told.out.find("Examples:");
        REQUIRE(at != std::string::npos);
        const std::string examples = told.out.substr(at);
        CHECK(count_of(examples, "  flexcore ") >= 2);
        CHECK(count_of(examples, "  flexcore ") == count_of(examples, "  flexcore " + group + " "));
    }
}

TEST_CASE("cli: a command and a query, for people and for programs") {
    server s{{.plugins = {"counter"}}};
    const std::string url = s.url();
    const auto sent =
        cli({"command", "send", "counter.increment", "c1", "--data", R"({"by":2})", "--url", url});
    INFO(sent.err);
    CHECK(sent.code == 0);
    CHECK(contains(sent.out, "counter-c1 is at version 1"));
    CHECK(contains(sent.out, "counter.incremented"));
    const auto as_json =
        cli({"command", "send", "counter.increment", "c1", "--json"}, {}, {{"FLEXCORE_URL", url}});
    REQUIRE(as_json.code == 0);
    const auto answer = boost::json::parse(as_json.out);
    CHECK(answer.at("version") == 2);
    CHECK(answer.at("result").at("value") == 3);
    const auto asked =
        cli({"query", "counter.value", "--param", "id=c1", "--min-position", "2", "--url", url});
    INFO(asked.err);
    CHECK(asked.code == 0);
    CHECK(contains(asked.out, "value"));
    CHECK(contains(asked.out, "3"));
    const auto query_json = cli({"query", "counter.value", "--param", "id=c1", "--min-position",
                                 "2", "--json", "--url", url});
    REQUIRE(query_json.code == 0);
    CHECK(boost::json::parse(query_json.out).at("data").at("value") == 3);
}

TEST_CASE("cli: data comes from the option, a file or standard input") {
    server s{{.plugins = {"counter"}}};
    const temp_folder folder;
    write_file(folder / "by.json", R"({"by": 5})");
    const auto value = [&](const std::string& data, const std::string& input) {
        const auto sent = cli({"command", "send", "counter.increment", "c", "--data", data,
                               "--json", "--url", s.url()},
                              input);
        INFO(sent.err);
        REQUIRE(sent.code == 0);
        return boost::json::parse(sent.out).at("result").at("value");
    };
    CHECK(value(R"({"by":1})", {}) == 1);
    CHECK(value("@" + (folder / "by.json").string(), {}) == 6);
    CHECK(value("-", R"({"by":10})") == 16);
}

TEST_CASE("cli: a refusal exits 1 and says title, detail and where") {
    server s{{.plugins = {"counter"}}};
    const auto send = [&](std::vector<std::string> args) {
        args.insert(args.begin(), {"command", "send"});
        args.insert(args.end(), {"--url", s.url()});
        return cli(std::move(args));
    };
    const auto invalid = send({"counter.increment", "c", "--data", R"({"by":0})"});
    CHECK(invalid.code == 1);
    CHECK(contains(invalid.err, "refused:"));
    CHECK(contains(invalid.err, "400 validation_failed"));
    CHECK(contains(invalid.err, "/by"));
    const auto unknown = send({"counter.incremnt", "c"});
    CHECK(unknown.code == 1);
    CHECK(contains(unknown.err, "404 not_found"));
    REQUIRE(send({"counter.increment", "c"}).code == 0);
    const auto conflict = send({"counter.increment", "c", "--expected-version", "none"});
    CHECK(conflict.code == 1);
    CHECK(contains(conflict.err, "409 version_conflict"));
    CHECK(contains(conflict.err, "current_version: 1"));
    const auto json = send({"counter.increment", "c", "--expected-version", "none", "--json"});
    CHECK(json.code == 1);
    CHECK(boost::json::parse(json.out).at("code") == "version_conflict");
    for (const std::vector<std::string>& args :
         {std::vector<std::string>{"query", "nothing"},
          {"events", "read", "--stream", "nothing"},
          {"events", "read", "--after", "x"},
          {"events", "tail", "--from", "x"},
          {"events", "append", "s", "--type", "not a name"}}) {
        auto all = args;
        all.insert(all.end(), {"--json", "--url", s.url()});
        const auto refused = cli(all);
        INFO(refused.err);
        CHECK(refused.code == 1);
        CHECK(boost::json::parse(refused.out).at("status").to_number<int>() >= 400);
    }
    const auto none = cli({"query", "counter.value", "--param", "id=nobody", "--url", s.url()});
    CHECK(none.code == 1);
    CHECK(contains(none.err, "404 not_found"));
}

TEST_CASE("cli: when a plugin fails, what is said leads to the server's log") {
    const auto folder = plugin_file("").parent_path().parent_path() / "tests" / "plugins";
    server s{
        {.plugins = {(folder / "throws.so").string()}, .args = {"--plugin-dir", folder.string()}}};
    for (const std::vector<std::string>& args :
         {std::vector<std::string>{"command", "send", "throws.do", "x"},
          {"query", "throws.query"},
          {"plugins", "execute", "throws", "--data", "x"}}) {
        auto all = args;
        all.insert(all.end(), {"--url", s.url()});
        const auto failed = cli(all);
        INFO(failed.err);
        CHECK(failed.code == 1);
        CHECK(failed.err.starts_with("failed: "));
        const auto at = failed.err.find("request_id: ");
        REQUIRE(at != std::string::npos);
        const auto begin = at + std::string{"request_id: "}.size();
        const std::string id = failed.err.substr(begin, failed.err.find('\n', begin) - begin);
        CHECK(contains(failed.err, "the server's log"));
        CHECK(wait_until([&] { return contains(s.log(), "request_id=" + id); }));
    }
    const auto many =
        cli({"command", "send", "--file", "-", "--url", s.url()}, R"({"type":"throws.do","id":"x"})"
                                                                  "\n");
    CHECK(many.code == 1);
    CHECK(contains(many.out, "the server's log"));
}

TEST_CASE("cli: a command_id makes sending again safe") {
    server s{{.plugins = {"counter"}}};
    for (int i = 0; i < 2; ++i) {
        const auto sent = cli({"command", "send", "counter.increment", "c", "--command-id",
                               "0192a4b0-0000-7000-8000-000000000001", "--json", "--url", s.url()});
        REQUIRE(sent.code == 0);
        CHECK(boost::json::parse(sent.out).at("version") == 1);
    }
}

TEST_CASE("cli: tenants do not see each other") {
    server s{{.plugins = {"counter"}}};
    const auto send = [&](const char* tenant) {
        const auto sent = cli({"command", "send", "counter.increment", "c", "--tenant", tenant,
                               "--json", "--url", s.url()});
        INFO(sent.err);
        REQUIRE(sent.code == 0);
        return boost::json::parse(sent.out).at("version");
    };
    CHECK(send("blue") == 1);
    CHECK(send("green") == 1);
    CHECK(send("blue") == 2);
}

TEST_CASE("cli: no server: the text says where it looked and what to do, exit code 1") {
    const std::string url = "http://127.0.0.1:" + std::to_string(free_port());
    for (const std::vector<std::string>& args : {std::vector<std::string>{"health"},
                                                 {"command", "send", "t", "i"},
                                                 {"query", "q"},
                                                 {"events", "read"},
                                                 {"events", "tail"},
                                                 {"events", "append", "s", "--type", "t"},
                                                 {"command", "send", "--file", "-"}}) {
        auto all = args;
        all.insert(all.end(), {"--url", url});
        const auto refused = cli(all);
        INFO(refused.err);
        CHECK(refused.code == 1);
        CHECK(contains(refused.err, url));
        CHECK(contains(refused.err, "flexcore serve"));
        all.emplace_back("--json");
        const auto for_programs = cli(all);
        CHECK(for_programs.code == 1);
        CHECK(boost::json::parse(for_programs.out).at("code") == "unreachable");
    }
}

TEST_CASE("cli: output that cannot be written is no success") {
    server s{{.plugins = {"counter"}}};
    REQUIRE(cli({"command", "send", "counter.increment", "c", "--url", s.url()}).code == 0);
    for (const std::string args :
         {"events read --all --json", "events tail --from start --count 1",
          "query counter.value --param id=c", "health --json", "version"}) {
        const auto refused =
            run("/bin/sh", {{"-c", "'" + flexcore_program().string() + "' " + args + " >/dev/full"},
                            {{"FLEXCORE_URL", s.url()}},
                            {},
                            {}});
        INFO(args << ": " << refused.err);
        CHECK(refused.code == 1);
        CHECK(contains(refused.err, "output"));
    }
}

TEST_CASE("cli: a reader that has seen enough ends it quietly") {
    server s{{.plugins = {"counter"}}};
    for (int i = 0; i < 3; ++i)
        REQUIRE(cli({"command", "send", "counter.increment", "c", "--url", s.url()}).code == 0);
    const std::string program = "'" + flexcore_program().string() + "'";
    const auto piped = run(
        "/bin/sh",
        {{"-c", program + " events read --all | head -n 1"}, {{"FLEXCORE_URL", s.url()}}, {}, {}});
    CHECK(piped.code == 0);
    CHECK(count_of(piped.out, "\n") == 1);
    CHECK(piped.err.empty());
}

TEST_CASE("cli: health and version") {
    server s{{.plugins = {"counter"}}};
    const auto health = cli({"health", "--url", s.url()});
    CHECK(health.code == 0);
    CHECK(contains(health.out, "healthy (FlexCore "));
    CHECK(contains(health.out, "store"));
    const auto json = cli({"health", "--json", "--url", s.url()});
    CHECK(boost::json::parse(json.out).at("status") == "healthy");
    const auto version = cli({"version", "--server", "--json", "--url", s.url()});
    REQUIRE(version.code == 0);
    const auto versions = boost::json::parse(version.out);
    CHECK(versions.at("program") == versions.at("server"));
    CHECK(cli({"version"}).out ==
          "flexcore " + std::string{versions.at("program").as_string()} + "\n");
}

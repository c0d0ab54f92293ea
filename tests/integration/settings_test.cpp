#include "program.hpp"
#include "support/server.hpp"

#include <catch2/catch.hpp>

#include <boost/json/parse.hpp>

#include <algorithm>
#include <sstream>

using namespace flexcore::test;

TEST_CASE("config check: every mistake is listed with its place, exit code 2") {
    const temp_folder folder;
    write_file(folder / "s.toml",
               "[http]\nprot = 1\n[log]\nlevel = \"loud\"\n[store]\nurl = \"mysql://x\"\n"
               "[plugins]\nload = [\"nope.so\"]\n");
    const auto checked = cli({"config", "check", "--config", (folder / "s.toml").string()}, {},
                             {{"FLEXCORE_HTTP_DRAIN_MS", "later"}});
    CHECK(checked.code == 2);
    CHECK(contains(checked.err, "s.toml:2:1: unknown setting http.prot; did you mean http.port?"));
    CHECK(contains(checked.err, "s.toml:4:9: log.level must be one of"));
    CHECK(contains(checked.err, "s.toml:6:7: store.url must be"));
    CHECK(contains(checked.err, "s.toml:8:9: the plugin nope.so cannot be loaded"));
    CHECK(contains(checked.err, "FLEXCORE_HTTP_DRAIN_MS: "));
    write_file(folder / "s.toml", "[http]\nport = 1\n");
    const auto good = cli({"config", "check", "--config", (folder / "s.toml").string()});
    CHECK(good.code == 0);
    CHECK(contains(good.out, "valid; 1 differ"));
    write_file(folder / "s.toml", "[[plugins.load]]\nfile = \"nope.so\"\n");
    const auto missing = cli({"config", "check", "--config", (folder / "s.toml").string()});
    CHECK(missing.code == 2);
    CHECK(contains(missing.err, "s.toml:1:1: the plugin nope.so cannot be loaded"));
}

TEST_CASE("config check: a text without quotes is answered with the line as it should be") {
    const temp_folder folder;
    const auto said = [&](const std::string& text) {
        write_file(folder / "s.toml", text);
        const auto checked = cli({"config", "check", "--config", (folder / "s.toml").string()});
        CHECK(checked.code == 2);
        return checked.err;
    };
    const std::string hint = "; a text stands in quotes: ";
    CHECK(contains(said("[http]\nbody_bytes_max = 4MiB # at most\nport = 1\n"),
                   hint + "body_bytes_max = \"…\"\n"));
    CHECK(contains(said("http.idle_timeout_ms = 5s\n"), hint + "http.idle_timeout_ms = \"…\"\n"));
    CHECK(contains(said("[log]\nlevel = info"), hint + "level = \"…\"\n"));
    CHECK(contains(said("[http]\nhost = 127.0.0.1\r\n"), hint + "host = \"…\"\n"));
    CHECK(contains(said("store.data = .\\x\n"), hint + "store.data = '…'\n"));
    // It may be a secret.
    CHECK_FALSE(contains(said("store.url = postgresql://u:very-secret@db/x\n"), "very-secret"));
    // Quotes would not help there.
    for (const char* broken : {"[http]\nport = 1\nport = 2\n", "[http\n", "log.level = \"info\n",
                               "plugins.dirs = [a]\n", "a b = 1\n", "http.port =\n", "http.port\n"})
        CHECK_FALSE(contains(said(broken), "quotes:"));
}

TEST_CASE("config show: file, variable and flag, each over the one before, with its source") {
    const temp_folder folder;
    const std::string file = (folder / "s.toml").string();
    write_file(file, "[http]\nport = 1\ndrain_ms = 1\nhost = \"::1\"\n");
    const auto shown = cli({"config", "show", "--json", "--listen", "127.0.0.1:3"}, {},
                           {{"FLEXCORE_CONFIG", file},
                            {"FLEXCORE_HTTP_PORT", "2"},
                            {"FLEXCORE_HTTP_DRAIN_MS", "2s"},
                            {"DATABASE_URL", "memory:"}});
    REQUIRE(shown.code == 0);
    const auto all = boost::json::parse(shown.out);
    const auto is = [&](const char* key, const boost::json::value& value, std::string_view source) {
        INFO(key);
        CHECK(all.at(key).at("value") == value);
        CHECK(all.at(key).at("source").as_string() == source);
    };
    is("http.port", 3, "--listen");
    is("http.host", "127.0.0.1", "--listen");
    is("http.drain_ms", 2'000, "FLEXCORE_HTTP_DRAIN_MS");
    is("store.url", "memory:", "DATABASE_URL");
    is("http.body_bytes_max", 4'194'304, "default");
    const auto text = cli({"config", "show"}, {}, {{"FLEXCORE_CONFIG", file}});
    CHECK(contains(text.out, "drain_ms = \"1ms\""));
    CHECK(contains(text.out, "s.toml:3:12"));
}

TEST_CASE("config example: the file in config/ is what the program prints, and it is valid") {
    const auto example = cli({"config", "example"});
    CHECK(example.code == 0);
    CHECK(example.out == read_file(FLEXCORE_SOURCE_DIR "/config/flexcore.toml"));
    CHECK(cli({"config", "check", "--config", FLEXCORE_SOURCE_DIR "/config/flexcore.toml"}).code ==
          0);
}

TEST_CASE("serve: settings that are not valid start nothing and leave no data folder") {
    const temp_folder folder;
    const auto refused = cli({"serve", "--data", (folder / "data").string(), "--listen",
                              "127.0.0.1:0", "--set", "http.prot=1"});
    CHECK(refused.code == 2);
    CHECK(contains(refused.err, "--set http.prot: unknown setting http.prot; did you mean"));
    CHECK_FALSE(std::filesystem::exists(folder / "data"));
    const auto by_variable =
        cli({"serve", "--data", (folder / "data").string(), "--listen", "127.0.0.1:0"}, {},
            {{"FLEXCORE_HTTP_PROT", "1"}});
    CHECK(by_variable.code == 2);
    CHECK_FALSE(std::filesystem::exists(folder / "data"));
}

TEST_CASE("serve: an empty flag is a wrong value, not one that was never given") {
    for (const char* flag :
         {"--data", "--store", "--listen", "--log-level", "--log-format", "--plugin", "--config"}) {
        INFO(flag);
        const auto refused = cli({"config", "check", flag, ""});
        CHECK(refused.code != 0);
        CHECK_FALSE(refused.err.empty());
    }
}

TEST_CASE("config: a folder as settings file is refused by name") {
    const temp_folder folder;
    const auto refused = cli({"config", "check", "--config", folder.path().string()});
    CHECK(refused.code == 2);
    CHECK(contains(refused.err, folder.path().string() + ": cannot be read: it is a folder"));
    CHECK_FALSE(contains(refused.err, "internal error"));
}

TEST_CASE("config: with --json the problems are a list, each with its place") {
    for (const char* which : {"check", "show"}) {
        const auto refused = cli({"config", which, "--json", "--set", "http.prot=1", "--log-level",
                                  "loud", "--data", "x"});
        CHECK(refused.code == 2);
        const auto answer = boost::json::parse(refused.out);
        CHECK(answer.at("valid") == false);
        const auto& problems = answer.at("problems").as_array();
        REQUIRE(problems.size() == 2);
        CHECK(problems[0].at("where") == "--log-level");
        CHECK(problems[1].at("where") == "--set http.prot");
        CHECK(contains(problems[1].at("text").as_string(), "did you mean http.port?"));
    }
    const auto good = cli({"config", "check", "--json"});
    CHECK(good.code == 0);
    CHECK(boost::json::parse(good.out).at("valid") == true);
}

TEST_CASE("config: a password is printed by no sub-command, wherever it was written") {
    // Taken, and refused.
    const bool known = GENERATE(true, false);
    const std::string url = known ? "postgres://u:secret@h/db" : "mysql://u:secret@h/db";
    const temp_folder folder;
    write_file(folder / "s.toml", "store.url = \"" + url + "\"\n");
    const std::string file = (folder / "s.toml").string();
    for (const char* which : {"check", "show"})
        for (const auto& [args, env] :
             {std::pair<std::vector<std::string>, std::map<std::string, std::string>>{
                  {"--set", "store.url=" + url}, {}},
              {{"--store", url}, {}},
              {{"--config", file}, {}},
              {{}, {{"DATABASE_URL", url}}},
              {{}, {{"FLEXCORE_STORE_URL", url}}}}) {
            std::vector<std::string> all{"config", which, "--json"};
            all.insert(all.end(), args.begin(), args.end());
            const auto shown = cli(all, {}, env);
            INFO(shown.out + shown.err);
            CHECK((shown.code == 0) == known);
            if (!known || which == std::string_view{"show"})
                CHECK(contains(known ? shown.out : shown.err, "u:***@h"));
            CHECK_FALSE(contains(shown.out + shown.err, "secret"));
        }
    const auto client = cli({"health", "--url", "http://u:secret@h"});
    CHECK(client.code == 2);
    CHECK_FALSE(contains(client.err, "secret"));
}

TEST_CASE("usage: what is wrong is named with the nearest right name, exit code 2") {
    const auto wrong = [](std::vector<std::string> args, std::string_view text) {
        const auto refused = cli(std::move(args));
        INFO(refused.err);
        CHECK(refused.code == 2);
        CHECK(contains(refused.err, text));
        CHECK(refused.out.empty());
    };
    wrong({"serv"}, "unknown sub-command \"serv\"; did you mean serve?");
    wrong({"events", "tial"}, "unknown sub-command \"tial\"; did you mean tail?");
    wrong({"serve", "--confg", "x"}, "unknown option \"--confg\"; did you mean --config?");
    wrong({"command", "send", "--fil", "x"}, "did you mean --file?");
    wrong({"query"}, "NAME");
    wrong({"events"}, "a sub-command is missing; there are append, show, read, tail");
    wrong({}, "a sub-command is missing; there are serve, config");
    wrong({"query", "q", "1001"}, "--param NAME=VALUE");
    wrong({"serve", "--listen", "8080"}, "--listen must be HOST:PORT");
    wrong({"serve", "--set", "x"}, "--set must be KEY=VALUE");
    wrong({"command", "send", "t", "i", "--file", "x"}, "not both");
    wrong({"command", "send"}, "TYPE and ID are needed");
    wrong({"command", "send", "t", "i", "--data", "{"}, "--data is not JSON");
    wrong({"command", "send", "t", "i", "--data", "@/nowhere"}, "cannot read the file");
    wrong({"command", "send", "t", "i", "--expected-version", "-1"}, "--expected-version");
    wrong({"command", "send", "--file", "x", "--concurrency", "0"}, "--concurrency");
    wrong({"query", "q", "--param", "novalue"}, "NAME=VALUE");
    wrong({"health", "--url", "https://x"}, "only http:// is spoken");
    wrong({"events", "append", "s"}, "--type is needed");
    wrong({"events", "read", "--stream", "s", "--types", "t"}, "--stream takes no filters");
    wrong({"events", "read", "--limit", "0"}, "--limit");
    wrong({"events", "read", "--from", "3"}, "--after takes a position");
    wrong({"events", "read", "--stream", "s", "--after", "3"}, "--from takes the version");
    wrong({"events", "tail", "--count", "-1"}, "--count");
    wrong({"events", "tail", "--count", "0"}, "--count");
    wrong({"health", "--timeout", "nan"}, "--timeout");
    wrong({"health", "--tenant", "a\r\nX-Y: z"}, "--tenant");
    wrong({"command", "send", "--file", "x", "--retry-for", "nan"}, "--retry-for");
    wrong({"command", "send", "--file", "x", "--data", "{}"}, "--file");
    wrong({"command", "send", "--file", "x", "--command-id", "i"}, "--file");
    wrong({"command", "send", "t", "i", "--make-ids"}, "--file");
    wrong({"command", "send", "t", "i", "--quiet"}, "--file");
    wrong({"command", "send", "t", "i", "--data", "@/tmp"}, "it is a folder");
    wrong({"events", "append", "s", "--file", "x", "--tag", "t"}, "--file");
    wrong({"events", "append", "s", "--file", "x", "--expected-version", "-2"}, "any, none");
    wrong({"--url", "http://x", "health"}, "--url stands after the sub-command: flexcore health");
    wrong({"query", "q", "id=1"}, "did you mean --param id=1?");
    wrong({"health", "--url", "http://::1:80"}, "http://[::1]:8080");
    wrong({"streams", "delete", "s", "--permanent"}, "add --yes");
    wrong({"streams", "settings", "s", "--max-age", "soon"}, "--max-age must be");
    wrong({"streams", "settings", "s", "--max-count", "3d"}, "--max-count must be a number");
    wrong({"read-model", "list", "m", "--where", "value"}, "FIELD=VALUE");
    wrong({"read-model", "list", "--where", "a=1"}, "need the read model's NAME");
    wrong({"projections", "rebuild"}, "NAME");
    wrong({"projections", "list", "--every", "1"}, "--watch");
    wrong({"completion", "csh"}, "bash, zsh or fish");
    wrong({"bench", "append", "--seconds", "0"}, "--seconds");
    wrong({"projectoins"}, "did you mean projections?");
    wrong({"events", "append", "s", "--atomic", "f"}, "the file says everything else");
    wrong({"serve", "--log-level", "loud"}, "log.level must be one of");
}

namespace {

/// Every sub-command, as words behind the program's name, from its own completion script: there a
/// line "'flexcore events read') options=…" stands for each.
std::vector<std::vector<std::string>> all_subcommands() {
    std::vector<std::vector<std::string>> all;
    std::istringstream lines{cli({"completion", "bash"}).out};
    for (std::string line; std::getline(lines, line);) {
        const std::size_t begin = line.find('\''), end = line.find("') options=");
        if (begin == std::string::npos || end == std::string::npos) continue;
        std::istringstream words{line.substr(begin + 1, end - begin - 1)};
        std::string word;
        words >> word;
        std::vector<std::string> path;
        while (words >> word) path.push_back(word);
        all.push_back(std::move(path));
    }
    return all;
}

}  // namespace

TEST_CASE("usage: --help of each sub-command shows examples") {
    const auto all = all_subcommands();
    const auto is_there = [&](const std::vector<std::string>& path) {
        return std::find(all.begin(), all.end(), path) != all.end();
    };
    // The list is the right one: some that are known, and as many as there are at least.
    CHECK(is_there({}));
    CHECK(is_there({"verify"}));
    CHECK(is_there({"config", "example"}));
    CHECK(all.size() >= 48);
    for (const auto& path : all) {
        auto args = path;
        args.emplace_back("--help");
        const auto help = cli(args);
        INFO(help.out);
        CHECK(help.code == 0);
        CHECK(contains(help.out, "Examples:"));
        CHECK(contains(help.out, "  flexcore"));
        args.pop_back();
        args.insert(args.begin(), "help");
        CHECK(cli(args).out == help.out);
    }
}

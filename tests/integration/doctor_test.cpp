// flexcore doctor and flexcore completion: what they say about this machine and this program.
#include "program.hpp"
#include "support/server.hpp"

#include <catch2/catch.hpp>

#include <boost/json/parse.hpp>

#include <filesystem>

using namespace flexcore::test;

namespace {

struct examined {
    int code = 0;
    boost::json::value answer;

    [[nodiscard]] const boost::json::object& of(const std::string& check) const {
        for (const auto& each : answer.at("checks").as_array())
            if (each.at("check").as_string() == check) return each.as_object();
        FAIL("no check " + check);
        throw std::logic_error{check};
    }
};

examined doctor(std::vector<std::string> args, std::map<std::string, std::string> env = {}) {
    args.insert(args.begin(), "doctor");
    args.emplace_back("--json");
    const auto done = cli(std::move(args), {}, std::move(env));
    INFO(done.err);
    return {done.code, boost::json::parse(done.out)};
}

}  // namespace

TEST_CASE("doctor: every check has a verdict, and advice exactly when it is not ok") {
    const temp_folder folder;
    const auto found = doctor({"--data", (folder / "a/b").string(), "--listen", "127.0.0.1:0"});
    for (const char* check :
         {"settings", "versions", "file descriptors", "memory", "data folder", "file system",
          "free space", "fsync latency", "disk speed", "clock", "port"}) {
        INFO(check);
        const auto& one = found.of(check);
        const bool ok = one.at("verdict") == "ok";
        CHECK(one.at("advice").as_string().empty() == ok);
        CHECK_FALSE(one.at("found").as_string().empty());
    }
    CHECK(contains(found.of("versions").at("found").as_string(), "SQLite 3."));
    CHECK(std::filesystem::is_empty(folder.path()));
    const auto text = cli({"doctor", "--data", folder.path().string(), "--listen", "127.0.0.1:0"});
    CHECK(contains(text.out, "fsync latency"));
}

TEST_CASE("doctor: wrong settings, a taken port and a folder that cannot be are bad, exit code 1") {
    const temp_folder folder;
    write_file(folder / "file", "x");
    write_file(folder / "s.toml", "[http]\nprot = 1\n");
    const std::string data = (folder / "d").string();
    const auto settings = doctor({"--config", (folder / "s.toml").string()});
    CHECK(settings.code == 1);
    CHECK(settings.answer.at("fit") == false);
    CHECK(contains(settings.of("settings").at("found").as_string(), "s.toml:2:1"));
    write_file(folder / "more.toml", "[http]\nprot = 1\nport = \"x\"\n[store]\nurl = \"y\"\n");
    const auto several = cli({"doctor", "--config", (folder / "more.toml").string()});
    CHECK(several.code == 1);
    CHECK(count_of(several.out, "bad   settings") == 3);
    CHECK(contains(several.out, "  settings (3 findings): the server would not start"));
    CHECK(count_of(several.out, "the server would not start") == 1);
    const auto place = doctor({"--data", (folder / "file").string(), "--listen", "127.0.0.1:0"});
    CHECK(place.code == 1);
    CHECK(place.of("data folder").at("verdict") == "bad");
    server other;
    const auto ours =
        doctor({"--data", data, "--listen", "127.0.0.1:" + std::to_string(other.port())});
    CHECK(ours.of("port").at("verdict") == "warn");
    CHECK(contains(ours.of("port").at("found").as_string(), "FlexCore"));
    const auto shared = doctor({"--data", other.data().string(), "--listen", "127.0.0.1:0"});
    CHECK(shared.of("data folder").at("verdict") == "warn");
    CHECK(contains(shared.of("data folder").at("found").as_string(),
                   "in use by process " + std::to_string(other.running().pid())));
    const auto plugin = doctor({"--plugin", "nope.so", "--data", data, "--listen", "127.0.0.1:0"});
    CHECK(plugin.code == 1);
    CHECK(contains(plugin.of("settings").at("found").as_string(), "nope.so"));
    CHECK(
        doctor({"--store", "memory:", "--listen", "127.0.0.1:0"}).of("data folder").at("verdict") ==
        "warn");
    const auto few =
        run("/bin/sh", {{"-c", "ulimit -n 200; exec '" + flexcore_program().string() +
                                   "' doctor --json --listen 127.0.0.1:0 --data '" + data + "'"},
                        {},
                        {},
                        {}});
    CHECK(few.code == 1);
    CHECK(contains(few.out, "http.connections_max"));
}

TEST_CASE("completion: bash completes sub-commands, options, files and choices") {
    const temp_folder folder;
    write_file(folder / "some.toml", "");
    const std::string program = "'" + flexcore_program().string() + "'";
    const auto complete = [&](const std::string& words) {
        const std::string script = "source <(" + program + " completion bash); COMP_WORDS=(" +
                                   words +
                                   "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _flexcore; printf "
                                   "'%s\\n' \"${COMPREPLY[@]}\"";
        const auto done = run("/bin/bash", {{"-c", script}, {}, folder.path(), {}});
        INFO(done.err);
        CHECK(done.err.empty());
        return "\n" + done.out;
    };
    CHECK(contains(complete("flexcore proj"), "\nprojections\n"));
    CHECK(contains(complete("flexcore events ''"), "\ntail\n"));
    CHECK(contains(complete("flexcore events tail --f"), "\n--from\n"));
    CHECK(contains(complete("flexcore events --json tail --t"), "\n--types\n"));
    CHECK(contains(complete("flexcore serve --log-format ''"), "\njson\n"));
    CHECK(contains(complete("flexcore serve --log-format j"), "\njson\n"));
    CHECK(contains(complete("flexcore serve --config ''"), "\nsome.toml\n"));
    CHECK(contains(complete("flexcore command send --file = s"), "\nsome.toml\n"));
    CHECK(contains(complete("flexcore completion ''"), "\nzsh\n"));
    CHECK(complete("flexcore events tail --from ''") == "\n\n");
}

namespace {

/// What a shell prints that runs the script. Both shells are installed by tools/setup.
std::string in(const std::string& shell, const std::string& script) {
    const auto done = run("/usr/bin/env", {{shell, "-c", script}, {}, {}, {}});
    INFO(shell << " (tools/setup installs it): " << done.err);
    CHECK(done.err.empty());
    CHECK(done.code == 0);
    return "\n" + done.out;
}

}  // namespace

TEST_CASE("completion: fish takes its script") {
    const std::string source = "'" + flexcore_program().string() + "' completion fish | source; ";
    CHECK(contains(in("fish", source + "complete -C 'flexcore proj'"), "\nprojections\t"));
    CHECK(contains(in("fish", source + "complete -C 'flexcore events tail --fr'"), "\n--from\t"));
    CHECK(contains(in("fish", source + "complete -C 'flexcore serve --log-format '"), "\njson"));
    CHECK_FALSE(contains(in("fish", source + "complete -C 'flexcore events '"), "projections"));
}

TEST_CASE("completion: zsh takes its script") {
    // The functions of zsh's completion, printing what they are given.
    const std::string source =
        "compdef() { :; }; _message() { :; }; _files() { print -l -- FILES; }; "
        "compadd() { print -l -- $@; }; "
        "_describe() { [[ $1 == -o ]] && shift; print -l -- ${(P)2}; }; "
        "source <('" +
        flexcore_program().string() +
        "' completion zsh); "
        "at() { words=(\"$@\"); CURRENT=$#words; _flexcore; }; ";
    CHECK(contains(in("zsh", source + "at flexcore proj"), "\nprojections:"));
    CHECK(contains(in("zsh", source + "at flexcore events tail --fr"), "\n--from:"));
    CHECK(contains(in("zsh", source + "at flexcore serve --log-format ''"), "\njson\n"));
    CHECK(contains(in("zsh", source + "at flexcore serve --config ''"), "\nFILES\n"));
}

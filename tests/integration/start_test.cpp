#include "program.hpp"
#include "support/server.hpp"

#include <csignal>

#include <catch2/catch.hpp>

#include <sstream>

using namespace flexcore::test;

namespace {

finished serve(std::vector<std::string> args) {
    args.insert(args.begin(), "serve");
    return cli(std::move(args));
}

/// What a server in text mode tells a person, whole: it comes after the port file.
std::string told_by(server& s) {
    REQUIRE(wait_until([&] { return contains(s.running().out(), "Ctrl-C stops it."); }));
    return s.running().out();
}

}  // namespace

TEST_CASE("start: it answers, and a person is told where, with what, and what to try") {
    server s{{.plugins = {"counter"}}};
    CHECK(s.http("GET", "/livez").status == 200);
    CHECK(s.http("GET", "/readyz").status == 200);
    const std::string told = told_by(s);
    CHECK(contains(told, "listening on " + s.url()));
    CHECK(contains(told, "counter"));
    CHECK(contains(told, "flexcore commands --url " + s.url()));
    CHECK(contains(told, s.url() + "/docs"));
    CHECK(contains(told, ", 0 events"));
    CHECK(contains(told, "plugins.load"));
    CHECK(contains(told, s.kept_in()));
    CHECK(wait_until([&] { return contains(s.log(), s.url()); }));
}

TEST_CASE("start: bare `serve` says where it is, where its data lies and what to try", "[sqlite]") {
    const temp_folder folder;
    process bare{flexcore_program(), {{"serve"}, {{"FLEXCORE_HTTP_PORT", "0"}}, folder.path(), {}}};
    REQUIRE(wait_until([&] { return contains(bare.out(), "Ctrl-C stops it."); }));
    const std::string told = bare.out();
    INFO(told);
    const std::string data = (folder / "flexcore-data").string();
    CHECK(contains(told, "in " + data + ", 0 events"));
    CHECK(std::filesystem::is_directory(data));
    const std::size_t next = told.find("Try next");
    REQUIRE(next != std::string::npos);
    CHECK(contains(told.substr(next), "flexcore command send"));
    const std::string before = "listening on http://127.0.0.1:";
    REQUIRE(contains(told, before));
    const auto port =
        static_cast<std::uint16_t>(std::stoi(told.substr(told.find(before) + before.size())));
    const http_reply root = http(port, "GET", "/");
    CHECK(root.status == 303);
    CHECK(http(port, "GET", "/" + std::string{root.header("location")}).status == 200);
    bare.signal(SIGINT);
    const auto ended = bare.wait();
    REQUIRE(ended);
    CHECK(ended->code == 0);
}

TEST_CASE("start: without a plugin it says how to load one, and that works as it is written") {
    server s;
    const std::string told = told_by(s);
    const auto steps = told.substr(told.find("Try next"));
    std::istringstream lines{steps};
    std::string line;
    std::getline(lines, line);
    int done = 0;
    while (std::getline(lines, line) && line.starts_with("  flexcore ")) {
        INFO(line);
        if (contains(line, "tail")) line += " --count 1";
        // A query may come before its projection has seen the command.
        CHECK(wait_until([&] {
            const std::string words = line.substr(sizeof "  flexcore");
            return run("/bin/sh",
                       {{"-c", "'" + flexcore_program().string() + "' " + words}, {}, {}, {}})
                       .code == 0;
        }));
        ++done;
    }
    CHECK(done == 5);
}

TEST_CASE("start: what is wrong in a settings file is named with its line when it starts too") {
    const temp_folder folder;
    const std::string file = (folder / "s.toml").string();
    const auto refused = [&](const std::string& text, const std::string& where, int code = 1) {
        write_file(file, text);
        const auto start = serve({"--config", file});
        INFO(start.err);
        CHECK(start.code == code);
        CHECK(contains(start.err, file + where));
        return start.err;
    };
    const std::string rest = "http.port = 0\nstore.data = \"" + (folder / "d").string() + "\"\n";
    const std::string missing = plugin_file("no_such_plugin").string();
    CHECK(contains(refused(rest + "[[plugins.load]]\nfile = \"" + plugin_file("counter").string() +
                               "\"\n[[plugins.load]]\nfile = \"" + missing + "\"\n",
                           ":5:1: the plugin " + missing, 2),
                   "no such file"));
    server first;
    CHECK(contains(refused("http.port = 0\nstore.data = \"" + first.data().string() + "\"\n",
                           ":2:14: the store"),
                   "--data DIR"));
    CHECK(contains(refused("store.data = \"" + (folder / "d").string() +
                               "\"\nhttp.port = " + std::to_string(first.port()) + "\n",
                           ":2:13: Cannot listen"),
                   "--listen HOST:PORT"));
    write_file(folder / "file", "x");
    CHECK(contains(refused(rest + "log.file = \"" + (folder / "file/below").string() + "\"\n",
                           ":3:12: the log"),
                   "Name a file"));
}

TEST_CASE(
    "start: a second server on one data folder is refused and names the first one's process") {
    server first;
    const auto second = serve({"--data", first.data().string(), "--listen", "127.0.0.1:0"});
    CHECK(second.code == 1);
    CHECK(contains(second.err, std::to_string(first.running().pid())));
    CHECK(contains(second.err, first.data().string()));
    CHECK(first.http("GET", "/livez").status == 200);
}

TEST_CASE("start: a port that is taken is refused with the setting to change") {
    server first;
    const temp_folder folder;
    const auto second = serve({"--data", (folder / "d").string(), "--listen",
                               "127.0.0.1:" + std::to_string(first.port())});
    CHECK(second.code == 1);
    CHECK(contains(second.err, std::to_string(first.port())));
    CHECK(contains(second.err, "--listen"));
    CHECK(contains(second.err, "serves there now"));
    const auto by_file = cli({"serve", "--data", (folder / "d").string()}, {},
                             {{"FLEXCORE_HTTP_PORT", std::to_string(first.port())}});
    CHECK(by_file.code == 1);
    CHECK(contains(by_file.err, "error: FLEXCORE_HTTP_PORT: Cannot listen"));
    CHECK(first.http("GET", "/livez").status == 200);
}

TEST_CASE(
    "start: a plugin folder that is not there is refused, a plugin given twice is warned of") {
    const temp_folder folder;
    const auto none = serve({"--data", (folder / "d").string(), "--listen", "127.0.0.1:0",
                             "--plugin-dir", (folder / "none").string()});
    CHECK(none.code == 2);
    CHECK(contains(none.err, "--plugin-dir: plugins.dirs names " + (folder / "none").string()));
    CHECK_FALSE(std::filesystem::exists(folder / "d"));
    server twice{{.plugins = {"counter", "counter"}}};
    CHECK(wait_until([&] { return contains(twice.log(), "is given twice and loaded once"); }));
}

TEST_CASE("start: other than loopback is refused unless the setting says otherwise") {
    const temp_folder folder;
    const auto refused = serve({"--data", (folder / "d").string(), "--listen", "0.0.0.0:0"});
    CHECK(refused.code == 2);
    CHECK(contains(refused.err, "security.allow_anonymous_non_loopback"));
}

TEST_CASE("start: a plugin that is not there or lies elsewhere is refused by name") {
    const temp_folder folder;
    const std::string data = (folder / "d").string();
    const std::string missing = plugin_file("no_such_plugin").string();
    const auto none = serve({"--data", data, "--listen", "127.0.0.1:0", "--plugin", missing});
    CHECK(none.code == 2);
    CHECK(contains(none.err, missing));
    std::filesystem::copy_file(plugin_file("counter"), folder / "elsewhere.so");
    const std::string file = (folder / "elsewhere.so").string();
    const auto outside = serve({"--data", data, "--listen", "127.0.0.1:0", "--plugin", file});
    CHECK(outside.code == 2);
    CHECK(contains(outside.err, "--plugin-dir " + folder.path().string()));
    server inside{{.plugins = {file}, .args = {"--plugin-dir", folder.path().string()}}};
    CHECK(contains(inside.http("GET", "/v1/plugins").body, "elsewhere"));
}

TEST_CASE("start: an unwritable data folder or log file is refused with its setting") {
    const temp_folder folder;
    write_file(folder / "file", "x");
    const auto data = serve({"--data", (folder / "file").string(), "--listen", "127.0.0.1:0"});
    CHECK(data.code == 2);
    CHECK(contains(data.err, "store.data must be a folder"));
    const auto log = serve({"--data", (folder / "d").string(), "--listen", "127.0.0.1:0", "--set",
                            "log.file=" + (folder / "file/below").string()});
    CHECK(log.code == 1);
    CHECK(contains(log.err, "log.file"));
}

TEST_CASE("start: a second run on the same folder keeps the data") {
    server s{{.plugins = {"counter"}}};
    const auto first =
        s.http("POST", "/v1/commands", R"({"type":"counter.increment","id":"c","data":{"by":7}})");
    REQUIRE(first.status == 200);
    REQUIRE(s.stop());
    s.start();
    const auto second =
        s.http("POST", "/v1/commands", R"({"type":"counter.increment","id":"c","data":{"by":1}})");
    REQUIRE(second.status == 200);
    CHECK(second.json().at("version") == 2);
    CHECK(second.json().at("result").at("value") == 8);
    const auto value = s.http("GET", "/v1/queries/counter.value?id=c&min_position=2");
    REQUIRE(value.status == 200);
    CHECK(value.json().at("data").at("value") == 8);
}

TEST_CASE("start: file descriptors are raised to what the connections need, or it warns") {
    const temp_folder folder;
    const auto start = [&](const std::string& limit, const std::string& name) {
        const std::string port_file = (folder / (name + ".port")).string();
        process server{"/bin/sh",
                       {{"-c", "ulimit " + limit + "; exec '" + flexcore_program().string() +
                                   "' serve --listen 127.0.0.1:0 --data '" +
                                   (folder / name).string() + "' --port-file '" + port_file + "'"},
                        {},
                        {},
                        {}}};
        REQUIRE(wait_until([&] { return std::filesystem::exists(port_file); }));
        const std::string limits = read_file("/proc/" + std::to_string(server.pid()) + "/limits");
        std::istringstream line{limits.substr(limits.find("Max open files"))};
        std::string word;
        long soft = 0;
        line >> word >> word >> word >> soft;
        server.signal(SIGTERM);
        CHECK(server.wait());
        return std::pair{soft, server.err()};
    };
    const auto [raised, quiet] = start("-Sn 300", "soft");
    CHECK(raised > 300);
    const auto [kept, warned] = start("-n 300", "hard");
    CHECK(kept == 300);
    CHECK(contains(warned, "http.connections_max"));
}

TEST_CASE("start: json logs are one object per line") {
    server s{{.args = {"--log-format", "json", "--log-level", "debug"}}};
    REQUIRE(s.http("GET", "/livez").status == 200);
    REQUIRE(s.stop());
    CHECK(s.running().out().empty());
    const auto lines = json_lines(s.log());
    CHECK(lines.size() >= 3);
    for (const auto& line : lines) {
        CHECK(line.at("ts").is_string());
        CHECK(line.at("level").is_string());
        CHECK(line.at("msg").is_string());
    }
}

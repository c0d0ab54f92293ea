#include "program.hpp"
#include "support/server.hpp"

#include <catch2/catch.hpp>

#include <fmt/format.h>
#include <boost/json/parse.hpp>

#include <fstream>

using namespace flexcore::test;

namespace {

void flip(const std::filesystem::path& file, std::streamoff at) {
    std::fstream io{file, std::ios::in | std::ios::out | std::ios::binary};
    io.seekg(at);
    const auto byte = static_cast<char>(io.get() ^ 0x10);
    io.seekp(at);
    io.put(byte);
}

}  // namespace

TEST_CASE("cli: verify looks at a folder beside its server and without one, and names damage",
          "[sqlite]") {
    server s{{.plugins = {"counter"}}};
    for (int i = 0; i < 20; ++i) {
        const auto sent = cli({"command", "send", "counter.increment", fmt::format("c{}", i),
                               "--data", R"({"by":1})", "--url", s.url()});
        REQUIRE(sent.code == 0);
    }
    const std::string data = s.data().string();
    const auto beside = cli({"verify", "--data", data});
    INFO(beside.err << beside.out);
    CHECK(beside.code == 0);
    CHECK(contains(beside.out, "a server has it open"));
    CHECK(contains(beside.out, "20 events in 20 streams"));
    CHECK(contains(beside.out, "everything is as it was written"));
    REQUIRE(s.stop().has_value());

    const auto sound = cli({"verify", "--json"}, {}, {{"FLEXCORE_STORE_DATA", data}});
    REQUIRE(sound.code == 0);
    CHECK(boost::json::parse(sound.out).at("sound") == true);
    CHECK(boost::json::parse(sound.out).at("events") == 20);

    flip(s.data() / "events.db", 3 * 4096 + 100);
    const auto damaged = cli({"verify", "--data", data});
    INFO(damaged.out);
    CHECK(damaged.code == 1);
    CHECK(
        contains(damaged.out, "events.db: page 4 (bytes 12288 to 16383) is not what was written"));
    CHECK(contains(damaged.out, "serve a copy of its latest `flexcore backup`"));
    for (const char* raw : {"***", "error code", "PRAGMA"}) CHECK_FALSE(contains(damaged.out, raw));
    const auto as_json = cli({"verify", "--data", data, "--json"});
    CHECK(as_json.code == 1);
    CHECK(boost::json::parse(as_json.out).at("findings").at(0).at("page") == 4);

    write_file(s.data() / "views.db", std::string(8192, 'x'));
    const auto foreign = cli({"verify", "--data", data});
    INFO(foreign.out);
    CHECK(foreign.code == 1);
    CHECK(contains(foreign.out,
                   "views.db: page 1 (bytes 0 to 4095) is not what was written, and without it"));
    CHECK_FALSE(contains(foreign.out, "a part of the file"));
    CHECK_FALSE(contains(foreign.out, "PRAGMA"));
}

TEST_CASE("cli: verify of a log whose first page is damaged says that, and not what follows",
          "[sqlite]") {
    server s{{.plugins = {"counter"}}};
    REQUIRE(cli({"command", "send", "counter.increment", "c", "--url", s.url()}).code == 0);
    REQUIRE(s.stop().has_value());
    flip(s.data() / "events.db", 40);
    const std::string data = s.data().string();
    const auto damaged = cli({"verify", "--data", data});
    INFO(damaged.out);
    CHECK(damaged.code == 1);
    CHECK(contains(damaged.out, "1 finding\n  events.db: page 1 (bytes 0 to 4095)"));
    CHECK(contains(damaged.out, "the log cannot be read"));
    CHECK_FALSE(contains(damaged.out, "0 events"));
    CHECK_FALSE(contains(damaged.out, "move views.db"));  // it is sound
    const auto as_json = cli({"verify", "--data", data, "--json"});
    CHECK(boost::json::parse(as_json.out).at("log_read") == false);
    CHECK(boost::json::parse(as_json.out).at("findings").as_array().size() == 1);
}

TEST_CASE("cli: verify of no data folder says so", "[sqlite]") {
    const temp_folder folder;
    const auto none = cli({"verify", "--data", (folder / "none").string()});
    CHECK(none.code == 2);
    CHECK(contains(none.err, "is no data folder"));
    const auto empty = cli({"verify", "--data", folder.path().string()});
    CHECK(empty.code == 2);
    CHECK(contains(empty.err, "has no events.db"));
}

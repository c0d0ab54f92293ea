#include "unit/plugin/house.hpp"

#include <catch2/catch.hpp>

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

using namespace flexcore;
using namespace flexcore::plugin;
using flexcore::plugin::testing::eventually;
using flexcore::plugin::testing::house;
using flexcore::plugin::testing::misbehaving;
using flexcore::plugin::testing::must;
using flexcore::plugin::testing::shipped;

namespace {

namespace fs = std::filesystem;

/// A folder of its own that goes away with the test.
struct folder {
    folder() {
        std::string name = (fs::temp_directory_path() / "flexcore-plugin-XXXXXX").native();
        path = fs::canonical(::mkdtemp(name.data()));
    }
    folder(const folder&) = delete;
    folder& operator=(const folder&) = delete;
    ~folder() { fs::remove_all(path); }
    fs::path path;
};

void write(const fs::path& to, std::string_view bytes) {
    std::ofstream{to, std::ios::binary}.write(bytes.data(),
                                              static_cast<std::streamsize>(bytes.size()));
}
std::string read(const fs::path& from) {
    std::ifstream in{from, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

plugin_settings only(const fs::path& dir) {
    auto settings = house::quick();
    settings.dirs = {dir};
    return settings;
}

/// Refused with this code; the text says `says`; nothing is left behind.
void check_refused(house& in, const fs::path& path, plugin_errc code, std::string_view says) {
    CAPTURE(path.native(), says);
    const auto loaded = in.load(path);
    REQUIRE_FALSE(loaded.has_value());
    CAPTURE(loaded.error().client, loaded.error().log);
    CHECK(loaded.error().code == make_error_code(code));
    CHECK(loaded.error().client.contains(says));
    CHECK(in.host->list().empty());
    CHECK(in.commands.catalogue().empty());
    CHECK(in.queries.catalogue().empty());
    CHECK(in.projections.all().empty());
}

struct refused {
    const char* plugin;
    plugin_errc code;
    const char* says;
};

}  // namespace

TEST_CASE("load: a plugin that breaks the contract is refused with a reason and leaves no trace") {
    const refused each = GENERATE(values<refused>({
        {"not_elf", plugin_errc::bad_file, "not a shared library"},
        {"no_symbol", plugin_errc::bad_file, "does not export flexcore_plugin_negotiate"},
        {"wrong_magic", plugin_errc::bad_abi, "this plugin is for another host"},
        {"future_major", plugin_errc::bad_abi, "this host has 1"},
        {"future_minor", plugin_errc::bad_abi, "needs ABI 1."},
        {"no_library", plugin_errc::bad_abi, "fxc_library is NULL"},
        {"short_struct_size", plugin_errc::bad_abi, "struct_size 8 is too small"},
        {"null_functions", plugin_errc::bad_abi, "fxc_library.create is NULL"},
        {"lying_table", plugin_errc::bad_abi, "is NULL"},
        {"short_interface", plugin_errc::bad_abi, "flexcore.processor/1: struct_size 8"},
        {"null_info", plugin_errc::bad_abi, "fxc_plugin_info is NULL"},
        {"bad_catalogue", plugin_errc::bad_catalogue, "bad catalogue"},
        {"unknown_catalogue_member", plugin_errc::bad_catalogue, "agregates"},
        {"bad_schema", plugin_errc::bad_catalogue, "aggregates[0].commands[0].schema"},
        {"undeclared_model", plugin_errc::bad_catalogue, "undeclared_rows"},
        {"missing_interface", plugin_errc::bad_abi, "find_interface does not give it"},
        {"no_lifecycle", plugin_errc::bad_abi, "flexcore.lifecycle/1"},
        {"lying_catalogue", plugin_errc::bad_catalogue, "flexcore.aggregate/1"},
        {"wild_pointers", plugin_errc::bad_abi, "does not point to a function"},
        {"endless_list", plugin_errc::bad_abi, "does not end"},
        {"wants_isolation", plugin_errc::unsupported, "FXC_ISOLATE"},
        {"open_fails", plugin_errc::refused, "open failed"},
        {"create_fails", plugin_errc::refused, "the licence has run out"},
        {"throws_in_create", plugin_errc::refused, "the constructor threw"},
        {"start_fails", plugin_errc::refused, "no route to the warehouse"},
        {"start_hangs", plugin_errc::timeout, "start did not end in time"},
    }));
    house in;
    check_refused(in, misbehaving(each.plugin), each.code, each.says);
}

TEST_CASE("load: only regular files below the plugin folders, links resolved") {
    folder allowed;
    folder other;
    const auto original = shipped("echo");
    fs::copy_file(original, allowed.path / "inside.so");
    fs::copy_file(original, other.path / "outside.so");
    fs::create_symlink(other.path / "outside.so", allowed.path / "link.so");
    fs::create_directory(allowed.path / "folder.so");
    ::mkfifo((allowed.path / "pipe.so").c_str(), 0600);
    fs::copy_file(original, allowed.path / "a name.so");
    const fs::path beside{allowed.path.native() + "-beside"};
    fs::create_directory(beside);
    fs::copy_file(original, beside / "beside.so");

    house in{only(allowed.path)};
    check_refused(in, other.path / "outside.so", plugin_errc::outside_dirs, "below");
    check_refused(in, allowed.path / "link.so", plugin_errc::outside_dirs, "below");
    check_refused(in, beside / "beside.so", plugin_errc::outside_dirs, "below");
    check_refused(in, allowed.path / ".." / beside.filename() / "beside.so",
                  plugin_errc::outside_dirs, "below");
    check_refused(in, allowed.path / "missing.so", plugin_errc::bad_file, "no such file");
    check_refused(in, allowed.path / "folder.so", plugin_errc::bad_file, "not a regular file");
    check_refused(in, allowed.path / "pipe.so", plugin_errc::bad_file, "not a regular file");
    check_refused(in, allowed.path / "a name.so", plugin_errc::bad_file, "not a name");
    CHECK(in.load(allowed.path / "inside.so").has_value());
    fs::remove_all(beside);
}

TEST_CASE("load: a truncated or foreign library is refused, never mapped") {
    folder dir;
    const std::string whole = read(shipped("echo"));
    house in{only(dir.path)};
    const auto file = dir.path / "broken.so";
    for (const std::size_t size : {std::size_t{0}, std::size_t{3}, std::size_t{20}, std::size_t{64},
                                   std::size_t{4096}, whole.size() / 2, whole.size() - 1}) {
        write(file, std::string_view{whole}.substr(0, size));
        check_refused(in, file, plugin_errc::bad_file, "");
    }
    std::string foreign = whole;
    foreign[18] = 0x28;  // e_machine: 32-bit ARM
    foreign[19] = 0;
    write(file, foreign);
    check_refused(in, file, plugin_errc::bad_file, "32-bit ARM");
    foreign = whole;
    foreign[4] = 1;  // 32 bits
    write(file, foreign);
    check_refused(in, file, plugin_errc::bad_file, "another architecture");
    foreign = whole;
    foreign[16] = 2;  // an executable
    write(file, foreign);
    check_refused(in, file, plugin_errc::bad_file, "not a shared library");
}

TEST_CASE("load: what runs is what was there when it was loaded") {
    folder dir;
    const auto file = dir.path / "copied.so";
    fs::copy_file(shipped("echo"), file);
    house in{only(dir.path)};
    must(in.load(file));
    write(file, "no longer a library");
    CHECK(in.execute("copied", "still the same").value() == "still the same");
    must(in.host->unload("copied"));
    check_refused(in, file, plugin_errc::bad_file, "no ELF header");
}

TEST_CASE("load: the same name twice is refused, the first goes on") {
    house in;
    must(in.load(shipped("echo")));
    const auto again = in.load(shipped("echo"));
    REQUIRE_FALSE(again.has_value());
    CHECK(again.error().code == make_error_code(plugin_errc::already_loaded));
    CHECK(in.execute("echo", "here").value() == "here");
}

TEST_CASE("load: a plugin that clashes with another keeps nothing of what it registered") {
    house in;
    must(in.load(shipped("counter")));
    const auto commands = in.commands.catalogue().size();
    const auto clash = in.load(misbehaving("clashing_names"));
    REQUIRE_FALSE(clash.has_value());
    CAPTURE(clash.error().client);
    CHECK(clash.error().code == make_error_code(plugin_errc::bad_catalogue));
    CHECK(clash.error().client.contains("counter"));
    CHECK(in.host->list().size() == 1);
    CHECK(in.commands.catalogue().size() == commands);
    CHECK_FALSE(in.queries.find("clashing.query").has_value());
    CHECK(in.command("counter.increment", "a", "{}")->result == R"({"value":1})");
}

TEST_CASE("load: a configuration that breaks the plugin's schema is refused with pointers") {
    house in;
    const auto path = misbehaving("configured");
    for (const auto* bad : {R"({"greeting":5})", "{}", "[]", "{", R"({"greeting":"a","more":1})"}) {
        CAPTURE(bad);
        const auto loaded = in.load(path, bad);
        REQUIRE_FALSE(loaded.has_value());
        CHECK(loaded.error().code == make_error_code(plugin_errc::bad_config));
    }
    const auto loaded = in.load(path, R"({"greeting":5})");
    REQUIRE(loaded.error().members);
    CHECK(loaded.error().members->contains("errors"));
    must(in.load(path, R"({"greeting":"Good day"})"));
    CHECK(in.execute("configured", "Ada").value() == "Good day Ada");
}

TEST_CASE("status: says what a plugin is and brings") {
    house in;
    const auto loaded = in.load(shipped("counter"));
    REQUIRE(loaded.has_value());
    const auto status = in.status("counter");
    CHECK(status.name == "counter");
    CHECK(status.id == "flexcore.counter");
    CHECK(status.version == "1.0.0");
    CHECK(status.path == fs::canonical(shipped("counter")).native());
    CHECK(status.state == "serving");
    CHECK(status.aggregates == std::vector<std::string>{"counter"});
    CHECK(status.commands == std::vector<std::string>{"counter.increment"});
    CHECK(status.projections == std::vector<std::string>{"counters"});
    CHECK(status.read_models == std::vector<std::string>{"counters"});
    CHECK(status.queries == std::vector<std::string>{"counter.value"});
    CHECK(status.loaded_at > 0);
    CHECK(in.host->status("nobody").error().code == make_error_code(plugin_errc::not_found));
    CHECK(in.host->unload("nobody").error().code == make_error_code(plugin_errc::not_found));
    CHECK(in.execute("nobody", "").error().code == make_error_code(plugin_errc::not_found));
    CHECK(in.execute("counter", "").error().code == make_error_code(plugin_errc::unsupported));
}

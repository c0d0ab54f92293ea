// The files that the build makes of plugins: what they export, that they load and go away.
#include "unit/sdk/loaded_plugin.hpp"

#include <dlfcn.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

using flexcore::test::loaded_plugin;

namespace {

const std::filesystem::path built = FLEXCORE_BINARY_DIR;

std::vector<std::string> names_of(const std::string& command) {
    auto* pipe = popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::vector<std::string> names;
    char line[512];
    while (std::fgets(line, sizeof line, pipe) != nullptr) {
        const std::string text{line};
        names.push_back(text.substr(0, text.find_first_of(" @")));
    }
    REQUIRE(pclose(pipe) == 0);
    return names;
}
std::vector<std::string> exported(const std::filesystem::path& file) {
    return names_of("nm -D --defined-only --format=posix '" + file.string() + "'");
}

}  // namespace

TEST_CASE("a plugin file exports its entry and nothing else") {
    for (const auto* name : {"counter", "echo", "orders"})
        CHECK(exported(built / "plugins" / (std::string{name} + ".so")) ==
              std::vector<std::string>{FXC_ENTRY_SYMBOL});
}

TEST_CASE("plugin.hpp has no symbol that libraries would share, whatever the compiler's flags") {
    // This program is built without -fno-gnu-unique and holds several plugins.
    CHECK(names_of("nm -C '" + (built / "tests/unit_sdk").string() +
                   "' | awk '$2 == \"u\" && /flexcore::plugin/ {print $3}'")
              .empty());
    CHECK_FALSE(names_of("nm -C '" + (built / "tests/unit_sdk").string() +
                         "' | awk '/flexcore::plugin/ {print $3}'")
                    .empty());
}

TEST_CASE("a plugin that says FXC_UNLOADABLE is gone after dlclose") {
    for (const auto* name : {"counter", "echo", "orders"}) {
        const auto file = built / "plugins" / (std::string{name} + ".so");
        {
            loaded_plugin plugin{file};
            CHECK((plugin.info().flags & FXC_UNLOADABLE) != 0);
            CHECK((plugin.info().flags & FXC_REENTRANT) != 0);
            CHECK(plugin.health().status == FXC_OK);
        }
        CHECK(dlopen(file.c_str(), RTLD_NOW | RTLD_NOLOAD) == nullptr);
    }
}

TEST_CASE("counter builds alone, copied elsewhere, against this tree") {
    const auto folder =
        std::filesystem::temp_directory_path() / ("flexcore-copy-" + std::to_string(getpid()));
    std::filesystem::copy(std::filesystem::path{FLEXCORE_SOURCE_DIR} / "plugins/counter", folder);
    const auto run = [&](const std::string& command) {
        return names_of("cd '" + folder.string() + "' && " + command + " 2>&1");
    };
    run("cmake -G Ninja -S . -B build -DFLEXCORE_TREE='" FLEXCORE_SOURCE_DIR "'");
    run("cmake --build build");
    loaded_plugin copy{folder / "build/plugins/counter.so"};
    CHECK(copy.send("counter", "1", "counter.increment", R"({"by":3})").result == R"({"value":3})");
    std::filesystem::remove_all(folder);
}

TEST_CASE("the test plugins that are to load do load") {
    for (const auto* name :
         {"bad_answer", "bad_event", "bad_row", "completes_late", "completes_twice",
          "crash_on_call", "drops_call", "endless_emit", "evolve_fails", "health_hangs", "plain_c",
          "poison_projection", "slow_handler", "throws", "unhealthy", "never_completes"}) {
        INFO(name);
        CHECK_NOTHROW(loaded_plugin{built / "tests/plugins" / (std::string{name} + ".so")});
    }
    CHECK_THROWS_WITH(loaded_plugin{built / "tests/plugins/start_fails.so"},
                      "no route to the warehouse");
    CHECK_THROWS_WITH(loaded_plugin{built / "tests/plugins/create_fails.so"},
                      "the licence has run out");
}

TEST_CASE("echo: gives back what it gets") {
    loaded_plugin echo{built / "plugins/echo.so"};
    const std::string bytes(1024, '\0');
    CHECK(echo.process(bytes).result == bytes);
}

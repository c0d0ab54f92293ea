#include "telemetry/log.hpp"

#include "base/json.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

using namespace flexcore;
using namespace flexcore::telemetry;
namespace fs = std::filesystem;

namespace {

/// A folder of its own for one test, gone afterwards; the log is stopped first.
struct scratch {
    scratch() {
        std::string name = fs::temp_directory_path() / "flexcore-log-XXXXXX";
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        folder = name;
    }
    ~scratch() {
        log_stop();
        fs::remove_all(folder);
    }
    [[nodiscard]] log_settings settings(level min = level::info) const {
        return {.level_min = min, .format = log_format::json, .colour = false, .file = file()};
    }
    [[nodiscard]] std::string file() const { return folder / "log"; }
    [[nodiscard]] std::vector<std::string> lines() const {
        std::ifstream in{file()};
        std::vector<std::string> out;
        for (std::string line; std::getline(in, line);) out.push_back(line);
        return out;
    }
    fs::path folder;
};

}  // namespace

TEST_CASE("log: every line is in the file once the log has stopped, each valid JSON") {
    const scratch place;
    REQUIRE(log_start(place.settings()));
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([t] {
                for (int i = 0; i < 500; ++i)
                    log(level::info, "test", "a line",
                        {{"thread", std::int64_t{t}}, {"i", std::int64_t{i}}});
            });
    }
    CHECK(log_dropped() == 0);
    log_stop();
    const auto lines = place.lines();
    CHECK(lines.size() == 2000);
    for (const std::string& line : lines)
        if (!json::validate(line)) FAIL(line);
}

TEST_CASE("log: the level holds lines back and can be changed while running") {
    const scratch place;
    REQUIRE(log_start(place.settings(level::warn)));
    CHECK_FALSE(log_enabled(level::info));
    CHECK(log_enabled(level::error));
    CHECK_FALSE(log_enabled(level::off));
    log(level::info, "test", "unseen");
    log_set_level(level::debug);
    CHECK(log_enabled(level::debug));
    log(level::debug, "test", "seen");
    log(level::trace, "test", "unseen");
    log_set_level(level::off);
    log(level::error, "test", "unseen");
    log_stop();
    REQUIRE(place.lines().size() == 1);
    CHECK(place.lines()[0].find("\"msg\":\"seen\"") != std::string::npos);
}

TEST_CASE("log: a warning reaches the file without waiting for the stop, and so does the rest") {
    const scratch place;
    REQUIRE(log_start(place.settings()));
    for (const level l : {level::warn, level::info}) {
        const std::size_t before = place.lines().size();
        log(l, "test", "soon");
        const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds{30};
        while (place.lines().size() == before && std::chrono::steady_clock::now() < give_up)
            std::this_thread::yield();
        CHECK(place.lines().size() == before + 1);
    }
}

TEST_CASE("log: before the start and after the stop nothing is logged and nothing breaks") {
    CHECK_FALSE(log_enabled(level::error));
    log(level::error, "test", "nowhere");
    log_set_level(level::trace);
    CHECK_FALSE(log_enabled(level::error));
    log_stop();
    CHECK(log_dropped() == 0);
}

TEST_CASE("log: a file that cannot be opened is answered, and nothing is logged") {
    const scratch place;
    auto settings = place.settings();
    settings.file = place.folder / "no" / "such" / "folder" / std::string(300, 'x');
    const auto started = log_start(settings);
    REQUIRE_FALSE(started);
    CHECK(started.error().code == base_errc::io);
    CHECK_FALSE(log_enabled(level::error));
}

TEST_CASE("log: a start replaces an earlier one and loses none of its lines") {
    const scratch first;
    const scratch second;
    REQUIRE(log_start(first.settings()));
    log(level::info, "test", "one");
    REQUIRE(log_start(second.settings()));
    log(level::info, "test", "two");
    log_stop();
    CHECK(first.lines().size() == 1);
    CHECK(second.lines().size() == 1);
}

TEST_CASE("log: a reader that stands still slows nobody, the oldest lines are dropped, counted") {
    const scratch place;
    // A pipe that nobody reads blocks the writer once it is full.
    REQUIRE(::mkfifo(place.file().c_str(), 0600) == 0);
    std::atomic<bool> read_on = false;
    std::string last;
    std::size_t seen = 0;
    std::jthread reader{[&] {
        std::ifstream in{place.file()};
        read_on.wait(false);
        for (std::string line; std::getline(in, line); ++seen) last = line;
    }};
    REQUIRE(log_start(place.settings()));
    constexpr std::int64_t lines = 30'000;
    const std::string long_text(200, 'x');
    for (std::int64_t i = 0; i < lines; ++i)
        log(level::info, "test", "line", {{"text", std::string_view{long_text}}, {"i", i}});
    // Not one of these calls waited for the reader, or we would never have come here.
    const std::uint64_t dropped = log_dropped();
    CHECK(dropped > 0);
    read_on = true;
    read_on.notify_one();
    log_stop();
    reader.join();
    CHECK(seen >= 8000);
    CHECK(seen < lines);
    CHECK(last.ends_with("\"i\":29999}"));
}

// One server per data folder.
#include "contract/harness.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

using namespace contract;

namespace {

struct store_parts {
    telemetry::metrics metrics;
    telemetry::health_registry health;
};

result<opened_store> open_in(const std::filesystem::path& data, store_parts& with) {
    store_settings settings;
    settings.data = data;
    return open_store(settings, with.metrics, with.health);
}

}  // namespace

TEST_CASE("data folder: a second server is refused and told who has it", "[store][folder]") {
    scratch_folder folder;
    const auto data = folder.path() / "made" / "here";
    store_parts with;
    {
        const auto first = value(open_in(data, with));
        const auto second = open_in(data, with);
        REQUIRE_FALSE(second);
        CHECK(second.error().code == store_errc::locked);
        CHECK(second.error().client.find(std::to_string(::getpid())) != std::string::npos);
    }
    CHECK(open_in(data, with));
}

TEST_CASE("data folder: the lock goes with its process, however that ends", "[store][folder]") {
    scratch_folder folder;
    int opened[2];
    REQUIRE(::pipe(opened) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        store_parts with;
        const auto held = open_in(folder.path(), with);
        const char answer = held ? 'y' : 'n';
        (void)!::write(opened[1], &answer, 1);
        ::pause();
        ::_exit(0);
    }
    char answer = 0;
    REQUIRE(::read(opened[0], &answer, 1) == 1);
    REQUIRE(answer == 'y');
    store_parts with;
    const auto refused = open_in(folder.path(), with);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().client.find(std::to_string(child)) != std::string::npos);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    CHECK(open_in(folder.path(), with));
    ::close(opened[0]);
    ::close(opened[1]);
}

TEST_CASE("data folder: one that cannot be made is an error, an unknown URL too",
          "[store][folder]") {
    scratch_folder folder;
    store_parts with;
    std::ofstream{folder.path() / "file"} << "x";
    CHECK(code_of(open_in(folder.path() / "file" / "data", with)) ==
          make_error_code(store_errc::unavailable));
    store_settings settings;
    settings.url = "mysql://somewhere";
    CHECK(code_of(open_store(settings, with.metrics, with.health)) ==
          make_error_code(base_errc::invalid_argument));
}

TEST_CASE("data folder: after stop the databases are whole without their WAL", "[store][folder]") {
    scratch_folder folder;
    store_parts with;
    {
        auto opened = value(open_in(folder.path(), with));
        appended(*opened.log, {.stream = "s", .events = events(100)});
        CHECK(current_version(*opened.log, "s") == 100);
        const auto made = value(opened.views->create("p", 1, {{"m", {"a"}}}));
        auto change = value(opened.views->begin(made.id, 0));
        value(change->put(tenant, "m", "1", "{}", 1));
        value(change->commit(1));
        change.reset();
        opened.log->stop();
        opened.views->stop();
        CHECK_FALSE(std::filesystem::exists(folder.path() / "events.db-wal"));
        CHECK_FALSE(std::filesystem::exists(folder.path() / "views.db-wal"));
    }
    auto again = value(open_in(folder.path(), with));
    CHECK(again.log->head() == 100);
}

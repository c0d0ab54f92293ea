// backup: what is copied, what is refused, what stays behind.
#include "store/backup.hpp"
#include "contract/harness.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/page_seal.hpp"

#include <fmt/format.h>

#include <fstream>
#include <set>

using namespace contract;
namespace fs = std::filesystem;

namespace {

const backend on_sqlite{.url = "sqlite:", .keeps = true};

void fill(store_under_test& of) {
    for (int i = 0; i < 30; ++i) {
        appended(of.log(), {.stream = fmt::format("s-{}", i % 10),
                            .events = std::vector<contract::event>(2, {.tags = {"t"}})});
    }
    appended(of.log(), request{.appends = {{.stream = "keyed"}}, .keys = {{.name = "k"}}});
    const auto made = value(of.views().create("p", 1, {{"m", {"a"}}}));
    auto change = value(of.views().begin(made.id, 0));
    value(change->put(tenant, "m", "key", R"({"a":1})", 1));
    value(change->commit(60));
}

std::set<std::string> names_in(const fs::path& folder) {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator{folder})
        names.insert(entry.path().filename().string());
    return names;
}

}  // namespace

TEST_CASE("backup: beside its open store the copy has every event, key and row, and serves them") {
    store_under_test from{on_sqlite};
    fill(from);
    const fs::path to = from.folder() / "copy";
    std::set<std::string> steps;
    const auto done = value(back_up(from.folder() / "data", to, [&](const verify_progress& now) {
        steps.insert(std::string{now.step});
        CHECK(now.done <= std::max<std::uint64_t>(now.total, now.done));
    }));
    CHECK(done.copy.events == 61);
    CHECK(done.copy.keys == 1);
    CHECK(done.copy.rows == 1);
    CHECK(done.copy.unsealed_pages == 0);
    CHECK(done.bytes == fs::file_size(to / "events.db") + fs::file_size(to / "views.db") +
                            fs::file_size(to / "snapshots.db"));
    CHECK(steps.contains("events.db: copy"));
    CHECK(names_in(to) == std::set<std::string>{"events.db", "views.db", "snapshots.db"});

    // Both go on by themselves.
    appended(from.log(), {.stream = "s-0"});
    store_under_test copy{on_sqlite};
    copy.close();
    fs::remove_all(copy.folder() / "data");
    fs::copy(to, copy.folder() / "data");
    copy.reopen();
    CHECK(copy.log().head() == 61);
    CHECK(all_positions(copy.log(), {.tenant = tenant}).size() == 61);
    CHECK(value(copy.log().find_answer(tenant, "k")).has_value());
    appended(copy.log(), {.stream = "s-0"});
    CHECK(copy.log().head() == 62);
    CHECK(value(verify(copy.folder() / "data", {})).sound());
}

TEST_CASE("backup: what is there already stays as it is") {
    store_under_test from{on_sqlite};
    fill(from);
    const fs::path data = from.folder() / "data";
    const fs::path to = from.folder() / "mine";
    fs::create_directory(to);
    CHECK(code_of(back_up(data, to, {})) == base_errc::invalid_argument);
    CHECK(code_of(back_up(data, to / "", {})) == base_errc::invalid_argument);
    CHECK(fs::is_empty(to));
    fs::create_symlink("nowhere", from.folder() / "link");
    CHECK(code_of(back_up(data, from.folder() / "link", {})) == base_errc::invalid_argument);
    CHECK(code_of(back_up(data, data, {})) == base_errc::invalid_argument);
    CHECK(code_of(back_up(from.folder(), from.folder() / "x", {})) == base_errc::invalid_argument);
    CHECK_FALSE(fs::exists(from.folder() / "x"));
    CHECK(code_of(back_up(data, "", {})) == base_errc::invalid_argument);
    CHECK(code_of(back_up(data, from.folder() / "no" / "such", {})) == store_errc::unavailable);
    // The names of other things are nobody's to take away.
    fs::copy(data, from.folder() / "copy.partial");
    CHECK(value(back_up(from.folder() / "copy.partial", from.folder() / "copy", {})).copy.sound());
    CHECK(value(verify(from.folder() / "copy.partial", {})).sound());
    CHECK(names_in(from.folder()) ==
          std::set<std::string>{"copy", "copy.partial", "data", "link", "mine"});
}

TEST_CASE("backup: what is larger than SQLite's cache is sealed too") {
    store_under_test from{on_sqlite};
    std::vector<contract::event> large(100, {.data = '"' + std::string(10'000, 'x') + '"'});
    for (int i = 0; i < 12; ++i) appended(from.log(), {.stream = "large", .events = large});
    const fs::path data = from.folder() / "data", to = from.folder() / "copy";
    const auto done = value(back_up(data, to, {}));
    CHECK(done.bytes > 12'000'000);
    CHECK(done.copy.unsealed_pages == 0);
    CHECK(done.copy.events == 1'200);
    // Broken off, it leaves nothing.
    int asked = 0;
    CHECK(code_of(back_up(data, from.folder() / "other", {}, [&] { return ++asked > 2; })) ==
          store_errc::stopped);
    CHECK(names_in(from.folder()) == std::set<std::string>{"copy", "data"});
}

TEST_CASE("backup: of a damaged log there is none, what is made again is left out") {
    store_under_test from{on_sqlite};
    fill(from);
    from.close();
    const fs::path data = from.folder() / "data";
    for (const char* name : {"events.db", "views.db", "snapshots.db"}) {
        const std::uint64_t pages = fs::file_size(data / name) / sqlite::page_bytes;
        for (std::uint64_t page = 0; page < pages; ++page) {
            const auto at = static_cast<std::streamoff>(page * sqlite::page_bytes + 40);
            const auto flip = [&] {
                std::fstream io{data / name, std::ios::in | std::ios::out | std::ios::binary};
                io.seekg(at);
                const auto byte = static_cast<char>(io.get() ^ 0x10);
                io.seekp(at);
                io.put(byte);
            };
            flip();
            INFO(name << " page " << page + 1);
            const auto done = back_up(data, from.folder() / "copy", {});
            flip();
            // A page in use is met; one that is free is not copied.
            if (done) {
                const bool whole = done->left_out.empty();
                CHECK(done->copy.events == 61);
                CHECK(done->copy.rows == (whole || name != std::string{"views.db"} ? 1 : 0));
                CHECK((whole || done->left_out == std::vector<std::string>{name}));
                fs::remove_all(from.folder() / "copy");
            } else {
                CHECK(name == std::string{"events.db"});
                CHECK(done.error().code == store_errc::corrupt);
            }
            REQUIRE(names_in(from.folder()) == std::set<std::string>{"data"});
        }
    }
}

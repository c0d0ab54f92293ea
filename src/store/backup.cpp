#include "store/backup.hpp"

#include "store/sqlite/connection.hpp"
#include "store/sqlite/data_folder.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace flexcore::store {
namespace {

namespace fs = std::filesystem;

using progress_function = std::function<void(const verify_progress&)>;

// In this order, see the header.
constexpr std::array<const char*, 3> files{"snapshots.db", "views.db", "events.db"};
constexpr int operations_between_looks = 200'000;  // of SQLite's machine, some milliseconds

/// What SQLite calls now and then while it copies.
struct looking {
    const progress_function& tell;
    std::string step;
    fs::path target;
    std::uint64_t total = 0;

    void look() const {
        std::error_code ignored;
        const auto there = fs::file_size(target, ignored);
        if (tell && !ignored) tell({step, std::min<std::uint64_t>(there, total), total});
    }
};

error failed(std::string_view what, const fs::path& path, int number) {
    const bool full = number == ENOSPC || number == EDQUOT;
    return {make_error_code(full ? store_errc::full : store_errc::unavailable),
            fmt::format("{} {}: {}", path.string(), what, std::system_category().message(number))};
}

result<void> sync(const fs::path& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return fail(failed("cannot be opened", path, errno));
    const int code = ::fsync(file);
    const int number = errno;
    ::close(file);
    if (code != 0) return fail(failed("cannot be made durable", path, number));
    return {};
}

result<void> copy(const fs::path& from, const fs::path& to, const progress_function& tell) {
    auto db = sqlite::connection::open({.file = from});
    if (!db) return fail(std::move(db.error()));
    std::error_code unknown;
    looking watch{tell, from.filename().string() + ": copy", to, fs::file_size(from, unknown)};
    sqlite3_progress_handler(
        db->get(), operations_between_looks,
        [](void* of) {
            static_cast<const looking*>(of)->look();
            return 0;
        },
        &watch);
    auto into = db->prepare("VACUUM INTO ?1");
    if (!into) return fail(std::move(into.error()));
    const std::string name = to.string();
    into->bind(1, name);
    if (auto ok = db->run(*into, "copy into " + name); !ok) {
        if (ok.error().code != store_errc::full) return ok;
        return fail(store_errc::full,
                    fmt::format("the disk of {} is full: the copy needs up to {} "
                                "MiB for {}",
                                to.parent_path().string(), (watch.total >> 20) + 1,
                                from.filename().string()));
    }
    watch.look();
    return sync(to);
}

/// Only what a backup makes; a folder that holds more is somebody's.
void remove_partial(const fs::path& folder) {
    std::error_code ignored;
    for (const char* name : files)
        for (const char* end : {"", "-wal", "-shm", "-journal"})
            fs::remove(folder / (std::string{name} + end), ignored);
    fs::remove(folder, ignored);
}

result<backup_report> fill(const fs::path& data, const fs::path& folder,
                           const progress_function& tell) {
    std::error_code problem;
    backup_report done;
    for (const char* name : files) {
        if (!fs::exists(data / name, problem)) continue;
        if (auto ok = copy(data / name, folder / name, tell); !ok)
            return fail(std::move(ok.error()));
    }
    auto looked_at = verify(folder, tell);
    if (!looked_at) return fail(std::move(looked_at.error()));
    done.copy = std::move(*looked_at);
    if (!done.copy.sound()) {
        const finding& first = done.copy.findings.front();
        return fail(store_errc::corrupt, fmt::format("the copy is not sound: {}: {}; look at {} "
                                                     "with `flexcore verify`",
                                                     first.file, first.what, data.string()));
    }
    for (const char* name : files) {
        for (const char* end : {"-wal", "-shm"})  // empty ones, of looking at it
            fs::remove(folder / (std::string{name} + end), problem);
        if (const auto bytes = fs::file_size(folder / name, problem); !problem) done.bytes += bytes;
    }
    if (auto ok = sync(folder); !ok) return fail(std::move(ok.error()));
    return done;
}

}  // namespace

result<backup_report> back_up(const fs::path& data, const fs::path& to,
                              const progress_function& progress) {
    std::error_code problem;
    if (!fs::exists(data / "events.db", problem)) {
        return fail(base_errc::invalid_argument,
                    fmt::format("{} is no data folder: it has no events.db", data.string()));
    }
    const fs::path place = fs::absolute(to, problem).lexically_normal();
    const fs::path target = place.has_filename() ? place : place.parent_path();
    if (fs::exists(fs::symlink_status(target, problem))) {
        return fail(base_errc::invalid_argument,
                    fmt::format("{} is there already; a backup is a new folder", to.string()));
    }
    const fs::path partial = target.string() + ".partial";
    remove_partial(partial);  // of a run that was killed
    if (!fs::create_directory(partial, problem)) {
        const int number = problem ? problem.value() : EEXIST;
        return fail(base_errc::invalid_argument,
                    fmt::format("{} cannot be made: {}", partial.string(),
                                std::system_category().message(number)));
    }
    auto done = fill(data, partial, progress);
    if (!done) {
        remove_partial(partial);
        return done;
    }
    fs::rename(partial, target, problem);  // fails when something came there meanwhile
    if (problem) {
        remove_partial(partial);
        return fail(failed("cannot get its name", target, problem.value()));
    }
    if (auto ok = sync(target.parent_path()); !ok) return fail(std::move(ok.error()));
    return done;
}

}  // namespace flexcore::store

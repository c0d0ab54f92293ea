#include "store/backup.hpp"

#include "store/data_folder_impl.hpp"
#include "store/open.hpp"
#include "store/postgres/dump.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/page_seal.hpp"
#include "store/sqlite/verify_impl.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <utility>

namespace flexcore::store {
namespace {

namespace fs = std::filesystem;

constexpr const char* log_name = "events.db";
// In this order, see the header.
constexpr std::array<const char*, 3> files{"snapshots.db", "views.db", log_name};
constexpr int operations_between_looks = 200'000;  // of SQLite's machine, some milliseconds

struct watcher {
    const std::function<void(const verify_progress&)>& progress;
    const std::function<bool()>& stop;

    [[nodiscard]] bool stopped() const { return stop && stop(); }
};

/// What SQLite asks now and then while it copies.
struct looking {
    const watcher& by;
    std::string step;
    fs::path target;
    std::uint64_t total = 0;

    void look() const {
        std::error_code ignored;
        const auto there = fs::file_size(target, ignored);
        if (by.progress && !ignored)
            by.progress({step, std::min<std::uint64_t>(there, total), total});
    }
};

std::unexpected<error> was_stopped() {
    return fail(store_errc::stopped, "the backup was broken off");
}

error failed(const fs::path& path, std::string_view what, int number) {
    const bool full = number == ENOSPC || number == EDQUOT;
    return {make_error_code(full ? store_errc::full : store_errc::unavailable),
            fmt::format("{} {}: {}", path.string(), what, std::system_category().message(number))};
}

result<void> sync(const fs::path& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return fail(failed(path, "cannot be opened", errno));
    const int code = ::fsync(file);
    const int number = errno;
    ::close(file);
    if (code != 0) return fail(failed(path, "cannot be made durable", number));
    return {};
}

/// What cannot be used "at the moment" is of no use to somebody who waits for a copy: why.
error cannot_read(const error& why, const fs::path& file) {
    if (::access(file.c_str(), R_OK) != 0) return failed(file, "cannot be read", errno);
    if (why.code == store_errc::corrupt) {
        return {
            store_errc::corrupt,
            fmt::format("{} is damaged: {}. `flexcore verify --data {}` names "
                        "all of it, and what to do",
                        file.string(), sqlite::reason_of(why, file), file.parent_path().string())};
    }
    return {why.code,
            fmt::format("{} cannot be copied: {}", file.string(), sqlite::reason_of(why, file))};
}

/// A database without room for seals cannot be told from one that is only begun.
result<void> check_sealed(sqlite::connection& db, const fs::path& file) {
    if (auto pages = db.integer("SELECT count(*) FROM sqlite_schema"); !pages)
        return fail(cannot_read(pages.error(), file));
    int reserved = -1;
    sqlite3_file_control(db.get(), "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    if (reserved == static_cast<int>(sqlite::seal_bytes)) return {};
    return fail(store_errc::unavailable,
                fmt::format("{} was made by an early version, without checksums of pages: stop the "
                            "server and copy the folder itself",
                            file.string()));
}

result<void> copy(const fs::path& from, const fs::path& to, const watcher& by) {
    auto db = sqlite::connection::open({.file = from});
    if (!db) return fail(cannot_read(db.error(), from));
    if (auto ok = check_sealed(*db, from); !ok) return ok;
    std::error_code unknown;
    looking watch{by, from.filename().string() + ": copy", to, fs::file_size(from, unknown)};
    sqlite3_progress_handler(
        db->get(), operations_between_looks,
        [](void* of) {
            const auto& my = *static_cast<const looking*>(of);
            my.look();
            return my.by.stopped() ? 1 : 0;
        },
        &watch);
    auto into = db->prepare("VACUUM INTO ?1");
    if (!into) return fail(cannot_read(into.error(), from));
    const std::string name = to.string();
    into->bind(1, name);
    auto done = db->run(*into, "copy");
    if (by.stopped()) return was_stopped();
    if (!done && done.error().code == store_errc::full) {
        return fail(store_errc::full,
                    fmt::format("the disk of {} is full: the copy of {} needs up to {} MiB",
                                to.parent_path().parent_path().string(), from.filename().string(),
                                (watch.total >> 20) + 1));
    }
    if (!done) return fail(cannot_read(done.error(), from));
    watch.look();
    return sync(to);
}

/// The folder in which the copy is made. It goes with the object, unless it got its name.
class partial_folder {
public:
    static result<partial_folder> make(const fs::path& target) {
        std::string name = target.string() + ".partial-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) return fail(failed(target, "cannot be made", errno));
        return partial_folder{name};
    }
    partial_folder(partial_folder&& other) noexcept : path_{std::exchange(other.path_, {})} {}
    partial_folder& operator=(partial_folder&&) = delete;
    ~partial_folder() {
        std::error_code ignored;
        if (!path_.empty()) fs::remove_all(path_, ignored);
    }
    [[nodiscard]] const fs::path& path() const noexcept { return path_; }
    result<void> name(const fs::path& target) {
        std::error_code problem;
        fs::permissions(path_, fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec,
                        problem);
        fs::rename(path_, target, problem);  // fails when something came there meanwhile
        if (problem) return fail(failed(target, "cannot get its name", problem.value()));
        path_.clear();
        return sync(target.parent_path());
    }

private:
    explicit partial_folder(fs::path path) : path_{std::move(path)} {}
    fs::path path_;
};

result<backup_report> fill(const fs::path& data, const fs::path& folder, const watcher& by) {
    std::error_code problem;
    backup_report done;
    for (const char* name : files) {
        if (!fs::exists(data / name, problem)) continue;
        auto copied = copy(data / name, folder / name, by);
        if (copied) continue;
        if (name == log_name || copied.error().code != store_errc::corrupt)
            return fail(std::move(copied.error()));
        fs::remove(folder / name, problem);
        done.left_out.emplace_back(name);
    }
    auto looked_at = verify(folder, by.progress);
    if (!looked_at) return fail(std::move(looked_at.error()));
    if (by.stopped()) return was_stopped();
    done.copy = std::move(*looked_at);
    if (!done.copy.sound()) {
        const finding& first = done.copy.findings.front();
        return fail(store_errc::corrupt,
                    fmt::format("what was copied is not sound: {}: {}. `flexcore verify --data {}` "
                                "tells whether the original is",
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

/// A new folder `to`, filled by `fill(folder)`: there with all in it, or not at all.
template <class Fill>
result<backup_report> made_whole(const fs::path& to, const Fill& fill) {
    std::error_code problem;
    if (to.empty())
        return fail(base_errc::invalid_argument, "a backup needs the name of a new folder");
    const fs::path place = fs::absolute(to, problem).lexically_normal();
    const fs::path target = place.has_filename() ? place : place.parent_path();
    if (fs::exists(fs::symlink_status(target, problem))) {
        return fail(base_errc::invalid_argument,
                    fmt::format("{} is there already; a backup is a new folder", to.string()));
    }
    auto partial = partial_folder::make(target);
    if (!partial) return fail(std::move(partial.error()));
    result<backup_report> done = fill(partial->path());
    if (!done) return done;
    if (auto ok = partial->name(target); !ok) return fail(std::move(ok.error()));
    return done;
}

}  // namespace

result<backup_report> back_up(const fs::path& data, const fs::path& to,
                              const std::function<void(const verify_progress&)>& progress,
                              const std::function<bool()>& stop) {
    std::error_code problem;
    const auto kind = fs::status(data / log_name, problem);
    if (kind.type() == fs::file_type::none)
        return fail(failed(data, "cannot be looked into", problem.value()));
    if (!fs::exists(kind)) {
        return fail(base_errc::invalid_argument,
                    fmt::format("{} is no data folder: it has no {}", data.string(), log_name));
    }
    return made_whole(to,
                      [&](const fs::path& folder) { return fill(data, folder, {progress, stop}); });
}

result<backup_report> back_up(const store_settings& settings, const fs::path& to,
                              const std::function<void(const verify_progress&)>& progress,
                              const std::function<bool()>& stop) {
    if (!is_postgres_url(settings.url)) return back_up(settings.data, to, progress, stop);
    return made_whole(to, [&](const fs::path& folder) -> result<backup_report> {
        auto done = postgres::dump_into(folder, settings, progress, stop);
        if (!done) return done;
        for (const auto& one : fs::directory_iterator{folder}) {
            if (auto ok = sync(one.path()); !ok) return fail(std::move(ok.error()));
        }
        if (auto ok = sync(folder); !ok) return fail(std::move(ok.error()));
        return done;
    });
}

}  // namespace flexcore::store

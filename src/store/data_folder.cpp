#include "store/data_folder_impl.hpp"

#include "store/errc.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace flexcore::store {
namespace {

std::unexpected<error> os_failure(const char* attempted, const std::filesystem::path& path) {
    return fail(
        store_errc::unavailable, fmt::format("the data folder cannot be used"),
        fmt::format("{} {}: {}", attempted, path.string(), std::generic_category().message(errno)));
}

std::string holder_of(int lock) {
    char text[32] = {};
    const auto size = ::pread(lock, text, sizeof text - 1, 0);
    std::string holder{text, size > 0 ? static_cast<std::size_t>(size) : 0};
    while (!holder.empty() && holder.back() == '\n') holder.pop_back();
    return holder;
}

}  // namespace

result<std::shared_ptr<data_folder>> data_folder::open(const std::filesystem::path& path) {
    std::error_code problem;
    std::filesystem::create_directories(path, problem);
    if (problem) {
        // The system's word for a file that stands in the way is "File exists" or "Not a
        // directory".
        for (auto at = path; !at.empty() && at != at.root_path(); at = at.parent_path()) {
            std::error_code ignored;
            if (std::filesystem::exists(at, ignored) &&
                !std::filesystem::is_directory(at, ignored)) {
                return fail(store_errc::unavailable,
                            fmt::format("{} is a file, not a folder", at.string()),
                            fmt::format("{}: {}", path.string(), problem.message()));
            }
        }
        return fail(store_errc::unavailable, "the data folder cannot be made",
                    fmt::format("{}: {}", path.string(), problem.message()));
    }
    const auto file = path / "lock";
    const int lock = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock < 0) return os_failure("open", file);
    std::shared_ptr<data_folder> folder{new data_folder{path, lock}};
    if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return os_failure("lock", file);
        const auto holder = holder_of(lock);
        return fail(store_errc::locked,
                    fmt::format("the data folder {} is in use by process {}", path.string(),
                                holder.empty() ? "unknown" : holder));
    }
    const auto own = fmt::format("{}\n", ::getpid());
    if (::ftruncate(lock, 0) != 0 ||
        ::pwrite(lock, own.data(), own.size(), 0) != static_cast<ssize_t>(own.size())) {
        // The lock is held; only its text is missing, on a full disk for instance.
        errno = 0;
    }
    return folder;
}

bool data_folder::in_use(const std::filesystem::path& path) {
    const int lock = ::open((path / "lock").c_str(), O_RDONLY | O_CLOEXEC);
    if (lock < 0) return false;
    const bool held = ::flock(lock, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    ::close(lock);
    return held;
}

data_folder::~data_folder() { ::close(lock_); }

result<void> data_folder::sync() const {
    for (const auto& folder : {path_, std::filesystem::absolute(path_).parent_path()}) {
        const int handle = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (handle < 0) return os_failure("open", folder);
        const int synced = ::fsync(handle);
        ::close(handle);
        if (synced != 0) return os_failure("fsync", folder);
    }
    return {};
}

}  // namespace flexcore::store

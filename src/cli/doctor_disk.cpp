// Of `flexcore doctor`: the disk under the data folder.
#include "cli/doctor_impl.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <string_view>
#include <system_error>

namespace flexcore::cli {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t sync_bytes = 4'096;
constexpr std::size_t syncs_max = 200;
constexpr std::size_t write_bytes = 1u << 20;
constexpr std::size_t writes_max = 64;
constexpr std::chrono::milliseconds part_max{1'500};  // of each measurement
constexpr double slow_sync_ms = 10;
// Below this not even a fast disk has the data: somebody only says so.
constexpr double unlikely_sync_ms = 0.005;
constexpr double slow_disk_mb_s = 20;
constexpr double space_bad_mb = 100, space_warn_mb = 2'048;

struct file_system {
    unsigned long magic;
    std::string_view name;
    verdict is;
    std::string_view advice;
};
constexpr std::array file_systems{
    file_system{0xef53, "ext4", verdict::ok, ""},
    file_system{0x58465342, "xfs", verdict::ok, ""},
    file_system{0x9123683e, "btrfs", verdict::ok, ""},
    file_system{0x2fc12fc1, "zfs", verdict::ok, ""},
    file_system{0xf2f52010, "f2fs", verdict::ok, ""},
    file_system{0x01021994, "tmpfs", verdict::warn,
                "lies in memory and is gone after a restart; put store.data on a disk"},
    file_system{0x858458f6, "ramfs", verdict::warn,
                "lies in memory and is gone after a restart; put store.data on a disk"},
    file_system{
        0x794c7630, "overlay", verdict::warn,
        "is a container's own layer, gone with the container; mount a volume for store.data"},
    file_system{0x6969, "nfs", verdict::bad,
                "locks and fsync of network file systems do not hold what SQLite needs; put "
                "store.data on a local disk"},
    file_system{0xff534d42, "cifs", verdict::bad,
                "locks and fsync of network file systems do not hold what SQLite needs; put "
                "store.data on a local disk"},
    file_system{0xfe534d42, "smb2", verdict::bad,
                "locks and fsync of network file systems do not hold what SQLite needs; put "
                "store.data on a local disk"},
    file_system{
        0x01021997, "9p", verdict::warn,
        "is shared by another machine, whose fsync may not be durable; a local disk is safer"},
    file_system{0x65735546, "fuse", verdict::warn,
                "is served by a program, whose fsync may not be durable; a local disk is safer"},
    file_system{0x4d44, "vfat", verdict::warn, "has no journal; use ext4 or xfs"}};

/// A file of our own that leaves with us.
class probe_file {
public:
    explicit probe_file(const std::filesystem::path& folder)
        : path_{folder / fmt::format(".flexcore-doctor.{}", ::getpid())},
          fd_{::open(path_.c_str(), O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600)} {}
    ~probe_file() {
        if (fd_ < 0) return;
        ::close(fd_);
        ::unlink(path_.c_str());
    }
    probe_file(const probe_file&) = delete;
    probe_file& operator=(const probe_file&) = delete;
    [[nodiscard]] int fd() const noexcept { return fd_; }

private:
    std::filesystem::path path_;
    int fd_;
};

double ms_since(clock::time_point begin) {
    return std::chrono::duration<double, std::milli>(clock::now() - begin).count();
}

/// The process that serves from the folder; empty when none does. A server locks DIR/lock and
/// writes its number there.
std::string holder_of(const std::filesystem::path& folder) {
    const auto file = folder / "lock";
    const int lock = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (lock < 0) return {};
    const bool held = ::flock(lock, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    ::close(lock);
    if (!held) return {};
    std::string process;
    std::ifstream{file} >> process;
    return process.empty() ? "unknown" : process;
}

/// Each 4 KiB and an fdatasync, as a commit does. Empty when it fails.
std::vector<double> sync_times_ms(int fd) {
    const std::string data(sync_bytes, 'x');
    std::vector<double> all;
    const auto begin = clock::now();
    while (all.size() < syncs_max && clock::now() - begin < part_max) {
        const auto at = clock::now();
        if (::pwrite(fd, data.data(), data.size(), static_cast<off_t>(all.size() * data.size())) !=
                static_cast<ssize_t>(data.size()) ||
            ::fdatasync(fd) != 0)
            return {};
        all.push_back(ms_since(at));
    }
    std::ranges::sort(all);
    return all;
}

/// Megabytes per second of long writes, durable at the end; 0 when it fails.
double write_mb_s(int fd) {
    const std::string data(write_bytes, 'x');
    const auto begin = clock::now();
    std::size_t written = 0;
    for (; written < writes_max && clock::now() - begin < part_max; ++written)
        if (::pwrite(fd, data.data(), data.size(), static_cast<off_t>(written * data.size())) !=
            static_cast<ssize_t>(data.size()))
            return 0;
    if (::fdatasync(fd) != 0) return 0;
    return static_cast<double>(written) / (ms_since(begin) / 1'000);
}

void check_file_system(const std::filesystem::path& folder, std::vector<finding>& out) {
    struct statfs about{};
    if (::statfs(folder.c_str(), &about) != 0) return;
    const auto magic = static_cast<unsigned long>(about.f_type);
    const auto known = std::ranges::find(file_systems, magic, &file_system::magic);
    if (known == file_systems.end())
        out.push_back({"file system", verdict::ok, fmt::format("type 0x{:x}", magic), {}});
    else
        out.push_back(
            {"file system", known->is, std::string{known->name},
             known->advice.empty() ? "" : fmt::format("{} {}", known->name, known->advice)});
}

void check_space(const std::filesystem::path& folder, std::vector<finding>& out) {
    struct statvfs about{};
    if (::statvfs(folder.c_str(), &about) != 0) return;
    const double mb =
        static_cast<double>(about.f_bavail) * static_cast<double>(about.f_frsize) / 1e6;
    const verdict is = mb < space_bad_mb    ? verdict::bad
                       : mb < space_warn_mb ? verdict::warn
                                            : verdict::ok;
    out.push_back({"free space", is, fmt::format("{:.1f} GB", mb / 1'000),
                   is == verdict::ok ? ""
                                     : "without space writes are refused; make room, or set "
                                       "store.data to another disk"});
}

void check_sync(const std::vector<double>& times, std::vector<finding>& out) {
    const double p50 = times[times.size() / 2], p99 = times[(times.size() - 1) * 99 / 100];
    finding one{
        "fsync latency", verdict::ok, fmt::format("p50 {:.3f} ms, p99 {:.3f} ms", p50, p99), {}};
    if (p50 > slow_sync_ms) {
        one.is = verdict::warn;
        one.advice = fmt::format(
            "every write waits for one: at most {:.0f} commits a second; use a disk with a "
            "power-safe cache (many writes share a commit, so clients in parallel help)",
            1'000 / p50);
    } else if (p50 < unlikely_sync_ms) {
        one.is = verdict::warn;
        one.advice =
            "too fast to be a disk: what is acknowledged may not survive a power loss; check that "
            "the disk or virtual machine does not ignore flushes";
    }
    out.push_back(std::move(one));
}

}  // namespace

std::filesystem::path existing_folder(const std::filesystem::path& wanted) {
    std::error_code ec;
    std::filesystem::path at = std::filesystem::absolute(wanted, ec).lexically_normal();
    while (!at.empty() && at != at.root_path() && !std::filesystem::exists(at, ec))
        at = at.parent_path();
    return at;
}

void check_disk(const app::settings& s, std::vector<finding>& out) {
    const bool database = store::is_postgres_url(s.store.url);
    if (s.store.url != "sqlite:" && !database) {
        out.push_back({"data folder", verdict::warn, "none: store.url is memory:",
                       "all data is gone when the server ends; use sqlite:"});
        return;
    }
    const auto wanted = std::filesystem::absolute(s.store.data).lexically_normal();
    const auto folder = existing_folder(wanted);
    std::error_code ec;
    const probe_file probe{folder};
    if (!std::filesystem::is_directory(folder, ec) || probe.fd() < 0) {
        out.push_back({"data folder", verdict::bad,
                       fmt::format("{} {}", folder.string(),
                                   std::filesystem::is_directory(folder, ec) ? "cannot be written"
                                                                             : "is no folder"),
                       "make it writable for this user, or name another with --data (store.data)"});
        return;
    }
    if (const std::string holder = holder_of(wanted); !holder.empty())
        out.push_back({"data folder", verdict::warn,
                       fmt::format("{} is in use by process {}", wanted.string(), holder),
                       "fine when it is the server you ask about; another one needs a folder of "
                       "its own, named with --data (store.data)"});
    else
        out.push_back({"data folder",
                       verdict::ok,
                       folder == wanted ? wanted.string() : wanted.string() + ", to be made",
                       {}});
    if (database) return;  // only what was acknowledged is noted there
    check_file_system(folder, out);
    check_space(folder, out);
    const auto times = sync_times_ms(probe.fd());
    const double mb_s = write_mb_s(probe.fd());
    if (times.empty() || mb_s == 0) {
        out.push_back({"disk", verdict::bad, "a test file could not be written or synced",
                       "look at the kernel's log (dmesg) and the free space"});
        return;
    }
    check_sync(times, out);
    out.push_back({"disk speed", mb_s < slow_disk_mb_s ? verdict::warn : verdict::ok,
                   fmt::format("{:.0f} MB/s written", mb_s),
                   mb_s < slow_disk_mb_s
                       ? "bulk writes and checkpoints will wait for it; use a faster disk"
                       : ""});
}

}  // namespace flexcore::cli

#include "store/data_folder_impl.hpp"
#include "store/sqlite/page_seal.hpp"
#include "store/sqlite/verify_impl.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <system_error>
#include <thread>
#include <vector>

namespace flexcore::store::sqlite {
namespace {

constexpr std::size_t pages_per_read = 256;
constexpr std::uint64_t pages_per_step = 4096;
// A server may be writing the very page: it is whole again soon.
constexpr int looks_max = 20;
constexpr auto look_pause = std::chrono::milliseconds{2};
// SQLite locks this byte and never uses its page.
constexpr std::uint64_t lock_page = (1U << 30) / page_bytes + 1;

class open_file {
public:
    explicit open_file(const std::filesystem::path& path)
        : handle_{::open(path.c_str(), O_RDONLY | O_CLOEXEC)} {}
    ~open_file() {
        if (handle_ >= 0) ::close(handle_);
    }
    open_file(const open_file&) = delete;
    open_file& operator=(const open_file&) = delete;
    explicit operator bool() const { return handle_ >= 0; }

    /// How many bytes there were; negative: errno.
    [[nodiscard]] ssize_t read(std::span<char> to, std::uint64_t at) const {
        std::size_t done = 0;
        while (done < to.size()) {
            const auto got =
                ::pread(handle_, to.data() + done, to.size() - done, static_cast<off_t>(at + done));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return got;
            if (got == 0) break;
            done += static_cast<std::size_t>(got);
        }
        return static_cast<ssize_t>(done);
    }

private:
    int handle_;
};

std::uint32_t big_endian(const char* at) {
    std::array<std::uint8_t, 4> b{};
    std::memcpy(b.data(), at, b.size());
    return std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3];
}

/// How many frames of the WAL stand in the database already: the index of a WAL in use says so
/// ("WAL-Index File Format", nBackfill). Without a server the next one replays them all.
std::uint32_t frames_copied(const std::filesystem::path& file) {
    constexpr std::uint64_t backfill_at = 96;
    const open_file index{file.string() + "-shm"};
    std::uint32_t copied = 0;
    std::array<char, sizeof copied> bytes{};
    if (!index || index.read(bytes, backfill_at) != static_cast<ssize_t>(bytes.size())) return 0;
    std::memcpy(&copied, bytes.data(), bytes.size());  // in this machine's order
    return copied;
}

/// Whether a page is taken from the WAL, whatever the file holds in its place: a power loss may
/// have torn it while it was copied, and it will be copied again.
bool is_in_wal(const std::filesystem::path& file, std::uint64_t page, std::uint32_t copied) {
    const open_file wal{file.string() + "-wal"};
    std::array<char, 32> header{};
    if (!wal || wal.read(header, 0) != static_cast<ssize_t>(header.size())) return false;
    constexpr std::size_t salts_at = 16;
    constexpr std::size_t frame_salts_at = 8;
    std::array<char, 24> frame{};
    std::uint32_t number = 1;
    for (std::uint64_t at = header.size();
         wal.read(frame, at) == static_cast<ssize_t>(frame.size()) &&
         std::memcmp(frame.data() + frame_salts_at, header.data() + salts_at, 8) == 0;
         at += frame.size() + page_bytes, ++number) {
        if (number > copied && big_endian(frame.data()) == page) return true;
    }
    return false;
}

finding damaged_page(const std::filesystem::path& file, std::uint64_t page, std::string_view what) {
    return {.file = file.filename().string(),
            .page = page,
            .what = fmt::format("page {} (bytes {} to {}) {}", page, (page - 1) * page_bytes,
                                page * page_bytes - 1, what),
            .remedy = remedy_for(file)};
}

class page_scan {
public:
    page_scan(verifying& look, const std::filesystem::path& path)
        : look_{look}, path_{path}, file_{path}, step_{path.filename().string() + ": pages"} {}

    result<void> run() {
        std::error_code problem;
        const std::uint64_t bytes = std::filesystem::file_size(path_, problem);
        if (!file_ || problem) return cannot_read();
        std::array<char, file_header_bytes> header{};
        const auto got = file_.read(header, 0);
        if (got < 0) return cannot_read();
        if (bytes == 0) return {};  // made and never written
        const auto kind =
            got == static_cast<ssize_t>(header.size()) ? sealing_of(header) : sealing::unclear;
        const std::uint64_t pages = bytes / page_bytes;
        look_.report().pages += pages;
        if (kind == sealing::unsealed && is_database(header)) {
            look_.report().unsealed_pages += pages;
            return {};
        }
        if (bytes % page_bytes != 0) {
            look_.found(damaged_page(path_, pages + 1, "is cut short"));
        }
        return scan(pages);
    }

private:
    static bool is_database(std::span<const char> header) {
        return std::string_view{header.data(), header.size()}.starts_with("SQLite format 3");
    }
    result<void> cannot_read() const {
        return fail(store_errc::unavailable, fmt::format("{} cannot be read: {}", path_.string(),
                                                         std::generic_category().message(errno)));
    }

    result<void> scan(std::uint64_t pages) {
        std::vector<char> buffer(pages_per_read * page_bytes);
        for (std::uint64_t page = 1; page <= pages;) {
            const auto count = std::min<std::uint64_t>(pages_per_read, pages - page + 1);
            const std::span<char> piece{buffer.data(), count * page_bytes};
            const auto got = file_.read(piece, (page - 1) * page_bytes);
            if (got < 0) return unreadable(page, count);
            for (std::uint64_t i = 0; i < count; ++i) {
                check(page + i, std::span<const char>{piece}.subspan(i * page_bytes, page_bytes));
            }
            page += count;
            if (page % pages_per_step == 1 || page > pages) look_.step(step_, page - 1, pages);
        }
        return {};
    }
    /// A block the disk does not give back: page by page, to name those.
    result<void> unreadable(std::uint64_t first, std::uint64_t count) {
        std::array<char, page_bytes> page{};
        for (std::uint64_t i = first; i < first + count; ++i) {
            if (file_.read(page, (i - 1) * page_bytes) < 0) {
                look_.found(damaged_page(
                    path_, i, "cannot be read: " + std::generic_category().message(errno)));
            } else {
                check(i, page);
            }
        }
        return {};
    }
    /// Zeros are a page that was never written; the first page of a database always was.
    static bool is_sound(std::span<const char> page, std::uint64_t number) {
        return check_page(page, number) != page_state::damaged &&
               (number != 1 || is_database(page));
    }
    void check(std::uint64_t number, std::span<const char> page) {
        if (number == lock_page || is_sound(page, number)) return;
        std::array<char, page_bytes> again{};
        const bool in_use = data_folder::in_use(path_.parent_path());
        for (int look = 0; look < looks_max && in_use; ++look) {
            std::this_thread::sleep_for(look_pause);
            if (file_.read(again, (number - 1) * page_bytes) != static_cast<ssize_t>(page_bytes) ||
                is_sound(again, number)) {
                return;
            }
        }
        if (is_in_wal(path_, number, in_use ? frames_copied(path_) : 0)) return;
        look_.found(damaged_page(path_, number,
                                 number == 1
                                     ? "is not what was written, and without it, the beginning of "
                                       "the file, nothing in it can be read"
                                     : "is not what was written"));
    }

    verifying& look_;
    const std::filesystem::path& path_;
    const open_file file_;
    const std::string step_;
};

}  // namespace

result<void> verify_pages(verifying& look, const std::filesystem::path& file) {
    return page_scan{look, file}.run();
}

}  // namespace flexcore::store::sqlite

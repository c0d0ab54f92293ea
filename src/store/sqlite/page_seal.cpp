#include "store/sqlite/page_seal.hpp"

#include "store/sqlite/layered_vfs.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace flexcore::store::sqlite {
namespace {

constexpr std::string_view file_magic{"SQLite format 3\0", 16};
constexpr std::size_t page_size_at = 16;  // two bytes, big-endian
constexpr std::size_t reserved_at = 20;
constexpr std::string_view seal_mark{"FCs1", 4};
constexpr std::size_t mark_at = page_bytes - seal_bytes;
constexpr std::size_t sum_at = mark_at + seal_mark.size();
static_assert(sum_at + sizeof(std::uint64_t) == page_bytes);

thread_local std::uint64_t damaged_page = 0;

std::uint64_t sum_of(const char* page, std::uint64_t number) noexcept {
    return XXH3_64bits_withSeed(page, sum_at, number);
}

using layered_vfs::below;
using layered_vfs::methods_below;

struct sealed_file {
    layered_vfs::file opened;
    bool database;  ///< not its WAL or journal
    sealing state;
};

sealed_file& self(sqlite3_file* of) { return *reinterpret_cast<sealed_file*>(of); }

/// A file may have pages before its first one: VACUUM INTO writes that late. Zeros say nothing yet.
void learn(sealed_file& of, const void* header) {
    const auto* bytes = static_cast<const char*>(header);
    if (std::all_of(bytes, bytes + file_header_bytes, [](char byte) { return byte == 0; })) return;
    of.state = sealing_of({bytes, file_header_bytes});
}

/// What was empty when it was opened may have been made by another connection since.
void look_again(sealed_file& of) {
    std::array<char, file_header_bytes> header{};
    auto* file = of.opened.below;
    const int code = file->pMethods->xRead(file, header.data(), static_cast<int>(header.size()), 0);
    if (code == SQLITE_OK) learn(of, header.data());
}

bool is_page(int size, sqlite3_int64 at) {
    return size == static_cast<int>(page_bytes) && at % static_cast<sqlite3_int64>(page_bytes) == 0;
}

int read(sqlite3_file* of, void* to, int size, sqlite3_int64 at) {
    const int code = methods_below(of)->xRead(below(of), to, size, at);
    // A disk that does not answer (EIO) may do so later: SQLite would call the database malformed.
    if (code == SQLITE_IOERR_CORRUPTFS) return SQLITE_IOERR_READ;
    sealed_file& file = self(of);
    // Beyond the end: zeros. How many pages there are SQLite compares itself.
    if (code != SQLITE_OK || !file.database) return code;
    if (at == 0 && size >= static_cast<int>(file_header_bytes)) learn(file, to);
    // Pieces of the header are read without a lock, before a WAL is replayed over what a power loss
    // has torn: nothing is served from them, and the first page follows as a whole.
    if (size < 512) return code;
    if (file.state == sealing::unknown) look_again(file);
    if (file.state == sealing::unsealed || file.state == sealing::unknown) return code;
    const std::uint64_t number = static_cast<std::uint64_t>(at) / page_bytes + 1;
    if (file.state == sealing::sealed && is_page(size, at) &&
        check_page({static_cast<const char*>(to), page_bytes}, number) != page_state::damaged) {
        return SQLITE_OK;
    }
    damaged_page = number;
    return SQLITE_IOERR_DATA;
}

int write(sqlite3_file* of, const void* from, int size, sqlite3_int64 at) {
    sealed_file& file = self(of);
    if (!file.database) return methods_below(of)->xWrite(below(of), from, size, at);
    if (at == 0 && size >= static_cast<int>(file_header_bytes)) learn(file, from);
    if (file.state == sealing::unknown) look_again(file);
    // Unknown still: a database is being made, and all that are made here have the room.
    const bool seals = file.state == sealing::sealed || file.state == sealing::unknown;
    if (!seals || !is_page(size, at)) return methods_below(of)->xWrite(below(of), from, size, at);
    std::array<char, page_bytes> page;  // NOLINT: filled whole
    std::memcpy(page.data(), from, mark_at);
    std::memcpy(page.data() + mark_at, seal_mark.data(), seal_mark.size());
    const auto sum = sum_of(page.data(), static_cast<std::uint64_t>(at) / page_bytes + 1);
    std::memcpy(page.data() + sum_at, &sum, sizeof sum);
    return methods_below(of)->xWrite(below(of), page.data(), size, at);
}

constexpr sqlite3_io_methods io_methods = [] {
    auto all = layered_vfs::passed_on();
    all.xRead = read;
    all.xWrite = write;
    return all;
}();

// By their own VFS: it may have data of its own.
int remove(sqlite3_vfs* vfs, const char* name, int sync_folder) {
    return below(vfs)->xDelete(below(vfs), name, sync_folder);
}
int look_for(sqlite3_vfs* vfs, const char* name, int flags, int* out) {
    return below(vfs)->xAccess(below(vfs), name, flags, out);
}
int full_name(sqlite3_vfs* vfs, const char* name, int size, char* out) {
    return below(vfs)->xFullPathname(below(vfs), name, size, out);
}

int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* out, int flags, int* out_flags) {
    auto* under = below(vfs);
    // Temporary files are the real VFS's own.
    constexpr int ours = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL;
    if ((flags & ours) == 0) {
        return under->xOpen(under, name, out, flags, out_flags);
    }
    sealed_file& made = self(out);
    made.database = (flags & SQLITE_OPEN_MAIN_DB) != 0;
    made.state = sealing::unknown;
    return layered_vfs::open_below(vfs, name, made, io_methods, flags, out_flags);
}

struct registered_vfs {
    std::string name;
    sqlite3_vfs vfs{};
};

}  // namespace

sealing sealing_of(std::span<const char> header) noexcept {
    if (header.size() < file_header_bytes) return sealing::unknown;
    const std::string_view bytes{header.data(), header.size()};
    if (!bytes.starts_with(file_magic)) return sealing::unsealed;
    const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); };
    if (byte(reserved_at) == 0) return sealing::unsealed;
    const std::size_t size = std::size_t{byte(page_size_at)} << 8 | byte(page_size_at + 1);
    return byte(reserved_at) == seal_bytes && size == page_bytes ? sealing::sealed
                                                                 : sealing::unclear;
}

page_state check_page(std::span<const char> page, std::uint64_t number) noexcept {
    std::uint64_t sum = 0;
    std::memcpy(&sum, page.data() + sum_at, sizeof sum);
    const std::string_view mark{page.data() + mark_at, seal_mark.size()};
    if (mark == seal_mark && sum == sum_of(page.data(), number)) return page_state::sound;
    const bool zeros = std::all_of(page.begin(), page.end(), [](char byte) { return byte == 0; });
    return zeros ? page_state::zeros : page_state::damaged;
}

const char* sealing_vfs(const char* under) {
    static std::mutex mutex;
    static std::map<std::string, std::unique_ptr<registered_vfs>> made;
    const std::lock_guard lock{mutex};
    auto* real_one = sqlite3_vfs_find(under);
    if (real_one == nullptr) return under;  // opening says so
    auto& one = made[real_one->zName];
    if (!one) {
        one = std::make_unique<registered_vfs>();
        one->name = "sealed-" + std::string{real_one->zName};
        one->vfs = layered_vfs::over<sealed_file>(real_one, one->name.c_str());
        one->vfs.xOpen = open;
        one->vfs.xDelete = remove;
        one->vfs.xAccess = look_for;
        one->vfs.xFullPathname = full_name;
        sqlite3_vfs_register(&one->vfs, 0);
    }
    return one->name.c_str();
}

void reserve_seals(sqlite3* db) noexcept {
    int bytes = static_cast<int>(seal_bytes);
    sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &bytes);
}

std::uint64_t take_damaged_page() noexcept { return std::exchange(damaged_page, 0); }

}  // namespace flexcore::store::sqlite

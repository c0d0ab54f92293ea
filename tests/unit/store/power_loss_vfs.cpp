#include "unit/store/power_loss_vfs.hpp"

#include "store/sqlite/layered_vfs.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace power_loss {
namespace {

namespace layered_vfs = flexcore::store::sqlite::layered_vfs;
using layered_vfs::below;
using layered_vfs::methods_below;

constexpr std::size_t sector_bytes = 512;

/// Bytes written at a place, or with no bytes a new size.
struct change {
    std::size_t at = 0;
    std::string bytes;
};

/// What the disk holds of a file for certain, and what happened since.
struct image {
    std::string synced;
    bool named = false;       ///< the name itself is certain
    bool removed = false;     ///< but not for certain
    std::string before_open;  ///< what would come back with a removed name
    std::vector<change> since;
};

struct disk {
    std::mutex mutex;
    std::map<std::string, image> files;
    moment left;
    bool cut = false;

    /// False: no power. The last one is under way when the power fails.
    bool operation() {
        if (cut) return false;
        cut = --left.operations == 0;
        return true;
    }
    bool sync() {
        if (!operation()) return false;
        cut = cut || --left.syncs == 0;
        return true;
    }
};

disk& the_disk() {
    static disk one;
    return one;
}

struct file {
    layered_vfs::file opened;
    image* of;  ///< null: a file that no power loss can leave behind
};

image* image_of(sqlite3_file* of) { return reinterpret_cast<file*>(of)->of; }

void apply(std::string& content, const change& one) {
    if (one.bytes.empty()) {
        content.resize(one.at);
        return;
    }
    if (content.size() < one.at + one.bytes.size()) content.resize(one.at + one.bytes.size());
    content.replace(one.at, one.bytes.size(), one.bytes);
}

void make_certain(image& of) {
    for (const auto& one : of.since) apply(of.synced, one);
    of.since.clear();
}

int read(sqlite3_file* of, void* to, int size, sqlite3_int64 at) {
    if (cut()) return SQLITE_IOERR_READ;
    return methods_below(of)->xRead(below(of), to, size, at);
}

int write(sqlite3_file* of, const void* from, int size, sqlite3_int64 at) {
    if (image* changed = image_of(of)) {
        auto& on = the_disk();
        const std::lock_guard lock{on.mutex};
        if (!on.operation()) return SQLITE_IOERR_WRITE;
        changed->since.push_back(
            {static_cast<std::size_t>(at),
             {static_cast<const char*>(from), static_cast<std::size_t>(size)}});
        if (on.cut) return SQLITE_IOERR_WRITE;
    }
    return methods_below(of)->xWrite(below(of), from, size, at);
}

int truncate(sqlite3_file* of, sqlite3_int64 size) {
    if (image* changed = image_of(of)) {
        auto& on = the_disk();
        const std::lock_guard lock{on.mutex};
        if (!on.operation()) return SQLITE_IOERR_TRUNCATE;
        changed->since.push_back({static_cast<std::size_t>(size), {}});
        if (on.cut) return SQLITE_IOERR_TRUNCATE;
    }
    return methods_below(of)->xTruncate(below(of), size);
}

/// Not passed on: what is lost is decided here, and the real disk's fsync would only take time.
int sync(sqlite3_file* of, int) {
    image* synced = image_of(of);
    if (synced == nullptr) return SQLITE_OK;
    auto& on = the_disk();
    const std::lock_guard lock{on.mutex};
    if (!on.sync() || on.cut) return SQLITE_IOERR_FSYNC;
    make_certain(*synced);
    for (auto& [name, other] : on.files) {
        if (other.removed) {
            other = {};
        } else {
            other.named = true;
        }
    }
    return SQLITE_OK;
}

constexpr sqlite3_io_methods io_methods = [] {
    auto all = layered_vfs::passed_on();
    all.xRead = read;
    all.xWrite = write;
    all.xTruncate = truncate;
    all.xSync = sync;
    return all;
}();

std::string contents(const std::string& name) {
    std::string all(std::filesystem::file_size(name), '\0');
    std::ifstream{name, std::ios::binary}.read(all.data(),
                                               static_cast<std::streamsize>(all.size()));
    return all;
}

int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* out, int flags, int* out_flags) {
    auto* made = reinterpret_cast<file*>(out);
    made->opened.base.pMethods = nullptr;
    made->of = nullptr;
    constexpr int kept = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL;
    if (name != nullptr && (flags & kept) != 0) {
        auto& on = the_disk();
        const std::lock_guard lock{on.mutex};
        if (on.cut) return SQLITE_CANTOPEN;
        const bool known = on.files.contains(name);
        image& of = on.files[name];
        if (!known && std::filesystem::exists(name)) {
            of.synced = contents(name);
            of.named = true;
        }
        if (of.removed) {
            // Made anew before its removal was certain: the old one may come back all the same.
            make_certain(of);
            of.before_open = of.named ? std::move(of.synced) : std::string{};
            of.synced.clear();
            of.removed = of.named = false;
        }
        made->of = &of;
    }
    return layered_vfs::open_below(vfs, name, *made, io_methods, flags, out_flags);
}

int remove(sqlite3_vfs* vfs, const char* name, int sync_folder) {
    auto& on = the_disk();
    const std::lock_guard lock{on.mutex};
    if (!on.operation() || on.cut) return SQLITE_IOERR_DELETE;
    if (const auto found = on.files.find(name); found != on.files.end()) {
        if (sync_folder != 0) {
            found->second = {};
        } else {
            found->second.removed = true;
        }
    }
    return below(vfs)->xDelete(below(vfs), name, 0);
}

class leaving {
public:
    leaving(std::mt19937_64& random, losses& counted) : random_{random}, counted_{counted} {}

    std::string of(const image& from) {
        std::string left = from.synced;
        if (from.since.empty()) return left;
        ++counted_.files;
        switch (random_() % 5) {
            case 0:  // nothing
                counted_.dropped += sectors_of(from.since);
                return left;
            case 1:  // everything, as the cache of a killed process would have it
                counted_.kept += sectors_of(from.since);
                for (const auto& one : from.since) apply(left, one);
                return left;
            case 2: {  // up to some point
                const std::size_t end = random_() % (from.since.size() + 1);
                for (std::size_t i = 0; i < end; ++i) apply(left, from.since[i]);
                return left;
            }
            default:
                return any_sectors(from);
        }
    }

private:
    static std::uint64_t sectors_of(const std::vector<change>& all) {
        std::uint64_t sectors = 0;
        for (const auto& one : all) sectors += (one.bytes.size() + sector_bytes - 1) / sector_bytes;
        return sectors;
    }

    /// Each sector and each size by itself. A later write that is dropped while an earlier one of
    /// the same place is kept is what another order of writing would leave.
    std::string any_sectors(const image& from) {
        const std::uint64_t percent = std::array{5U, 50U, 95U}.at(random_() % 3);
        const bool rubbish = random_() % 4 == 0;
        std::string left = from.synced;
        std::size_t size = left.size();  // that of the file; `left` may be longer
        for (const auto& one : from.since) {
            const bool size_is_kept = random_() % 100 < percent;
            if (one.bytes.empty()) {
                if (!size_is_kept) {
                    ++counted_.sizes;
                    continue;
                }
                size = one.at;
                if (left.size() > size) left.resize(size);
                continue;
            }
            const std::size_t end = one.at + one.bytes.size();
            for (std::size_t made = left.size(); made < end; ++made) {
                left += rubbish ? static_cast<char>(random_()) : '\0';
            }
            if (end > size && !size_is_kept) ++counted_.sizes;
            if (size_is_kept) size = std::max(size, end);
            keep_some(left, one, percent);
        }
        left.resize(size);
        return left;
    }

    void keep_some(std::string& left, const change& one, std::uint64_t percent) {
        std::size_t kept = 0;
        std::size_t dropped = 0;
        const std::size_t end = one.at + one.bytes.size();
        for (std::size_t at = one.at; at < end;) {
            const std::size_t next = std::min(end, (at / sector_bytes + 1) * sector_bytes);
            if (random_() % 100 < percent) {
                left.replace(at, next - at, one.bytes, at - one.at, next - at);
                ++kept;
            } else {
                ++dropped;
            }
            at = next;
        }
        counted_.kept += kept;
        counted_.dropped += dropped;
        if (kept != 0 && dropped != 0) ++counted_.torn;
    }

    std::mt19937_64& random_;
    losses& counted_;
};

}  // namespace

const char* vfs() {
    static sqlite3_vfs made;
    static std::once_flag once;
    std::call_once(once, [] {
        made = layered_vfs::over<file>(sqlite3_vfs_find(nullptr), "power-loss");
        made.xOpen = open;
        made.xDelete = remove;
        sqlite3_vfs_register(&made, 0);
    });
    return made.zName;
}

void arm(moment when) {
    auto& on = the_disk();
    const std::lock_guard lock{on.mutex};
    on.left = when;
    on.cut = false;
}

bool cut() {
    auto& on = the_disk();
    const std::lock_guard lock{on.mutex};
    return on.cut;
}

losses lose_power(const std::filesystem::path& folder, std::mt19937_64& random) {
    auto& on = the_disk();
    const std::lock_guard lock{on.mutex};
    losses counted;
    leaving left{random, counted};
    for (const auto& [name, of] : on.files) {
        const std::string after = left.of(of);
        const bool uncertain = !of.named || of.removed;
        if (!uncertain || random() % 2 == 0) {
            if (of.named || !of.since.empty() || !of.synced.empty()) {
                std::ofstream{name, std::ios::binary | std::ios::trunc} << after;
            }
        } else if (!of.removed && !of.before_open.empty()) {
            std::ofstream{name, std::ios::binary | std::ios::trunc} << of.before_open;
        } else {
            std::filesystem::remove(name);
        }
    }
    on.files.clear();
    for (const auto& entry : std::filesystem::directory_iterator{folder}) {
        if (entry.path().string().ends_with("-shm")) std::filesystem::remove(entry.path());
    }
    return counted;
}

void forget() {
    auto& on = the_disk();
    const std::lock_guard lock{on.mutex};
    on.files.clear();
}

}  // namespace power_loss

#include "unit/store/fault_vfs.hpp"

#include "store/sqlite/layered_vfs.hpp"

#include <sqlite3.h>

#include <mutex>

namespace fault {
namespace {

namespace layered_vfs = flexcore::store::sqlite::layered_vfs;
using layered_vfs::below;
using layered_vfs::methods_below;

struct file {
    layered_vfs::file opened;
    bool database;
};

int refused(int code) {
    ++now().failed;
    return code;
}

bool take(std::atomic<int>& left) {
    int seen = left.load();
    while (seen > 0 && !left.compare_exchange_weak(seen, seen - 1)) {
    }
    return seen > 0;
}

int write(sqlite3_file* of, const void* from, int size, sqlite3_int64 at) {
    if (now().device_full) return refused(SQLITE_FULL);
    if (now().write_fails || take(now().writes_to_fail)) return refused(SQLITE_IOERR_WRITE);
    return methods_below(of)->xWrite(below(of), from, size, at);
}
int sync(sqlite3_file* of, int flags) {
    const bool database = reinterpret_cast<file*>(of)->database;
    if (now().sync_fails || (database && now().database_sync_fails) || take(now().syncs_to_fail))
        return refused(SQLITE_IOERR_FSYNC);
    return methods_below(of)->xSync(below(of), flags);
}
int fetch(sqlite3_file* of, sqlite3_int64 at, int size, void** out) {
    return methods_below(of)->xFetch(below(of), at, size, out);
}
int unfetch(sqlite3_file* of, sqlite3_int64 at, void* from) {
    return methods_below(of)->xUnfetch(below(of), at, from);
}

constexpr sqlite3_io_methods io_methods = [] {
    auto all = layered_vfs::passed_on();
    all.xWrite = write;
    all.xSync = sync;
    all.iVersion = 3;
    all.xFetch = fetch;
    all.xUnfetch = unfetch;
    return all;
}();

int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* out, int flags, int* out_flags) {
    auto* made = reinterpret_cast<file*>(out);
    made->database = (flags & SQLITE_OPEN_MAIN_DB) != 0;
    return layered_vfs::open_below(vfs, name, *made, io_methods, flags, out_flags);
}

}  // namespace

switches& now() {
    static switches all;
    return all;
}

const char* vfs() {
    static sqlite3_vfs made;
    static std::once_flag once;
    std::call_once(once, [] {
        made = layered_vfs::over<file>(sqlite3_vfs_find(nullptr), "fault");
        made.xOpen = open;
        sqlite3_vfs_register(&made, 0);
    });
    return made.zName;
}

}  // namespace fault

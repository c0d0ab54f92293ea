#include "unit/store/fault_vfs.hpp"

#include <sqlite3.h>

#include <mutex>

namespace fault {
namespace {

struct file {
    sqlite3_file base;
    sqlite3_file* real;
    bool database;
};

sqlite3_file* real(sqlite3_file* of) { return reinterpret_cast<file*>(of)->real; }
const sqlite3_io_methods* methods(sqlite3_file* of) { return real(of)->pMethods; }

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

int close(sqlite3_file* of) { return methods(of)->xClose(real(of)); }
int read(sqlite3_file* of, void* to, int size, sqlite3_int64 at) {
    return methods(of)->xRead(real(of), to, size, at);
}
int write(sqlite3_file* of, const void* from, int size, sqlite3_int64 at) {
    if (now().device_full) return refused(SQLITE_FULL);
    if (now().write_fails || take(now().writes_to_fail)) return refused(SQLITE_IOERR_WRITE);
    return methods(of)->xWrite(real(of), from, size, at);
}
int truncate(sqlite3_file* of, sqlite3_int64 size) {
    return methods(of)->xTruncate(real(of), size);
}
int sync(sqlite3_file* of, int flags) {
    const bool database = reinterpret_cast<file*>(of)->database;
    if (now().sync_fails || (database && now().database_sync_fails) || take(now().syncs_to_fail))
        return refused(SQLITE_IOERR_FSYNC);
    return methods(of)->xSync(real(of), flags);
}
int file_size(sqlite3_file* of, sqlite3_int64* size) {
    return methods(of)->xFileSize(real(of), size);
}
int lock(sqlite3_file* of, int level) { return methods(of)->xLock(real(of), level); }
int unlock(sqlite3_file* of, int level) { return methods(of)->xUnlock(real(of), level); }
int check_lock(sqlite3_file* of, int* out) {
    return methods(of)->xCheckReservedLock(real(of), out);
}
int control(sqlite3_file* of, int op, void* with) {
    return methods(of)->xFileControl(real(of), op, with);
}
int sector(sqlite3_file* of) { return methods(of)->xSectorSize(real(of)); }
int device(sqlite3_file* of) { return methods(of)->xDeviceCharacteristics(real(of)); }
int shm_map(sqlite3_file* of, int page, int size, int extend, void volatile** out) {
    return methods(of)->xShmMap(real(of), page, size, extend, out);
}
int shm_lock(sqlite3_file* of, int offset, int count, int flags) {
    return methods(of)->xShmLock(real(of), offset, count, flags);
}
void shm_barrier(sqlite3_file* of) { methods(of)->xShmBarrier(real(of)); }
int shm_unmap(sqlite3_file* of, int remove) { return methods(of)->xShmUnmap(real(of), remove); }
int fetch(sqlite3_file* of, sqlite3_int64 at, int size, void** out) {
    return methods(of)->xFetch(real(of), at, size, out);
}
int unfetch(sqlite3_file* of, sqlite3_int64 at, void* from) {
    return methods(of)->xUnfetch(real(of), at, from);
}

constexpr sqlite3_io_methods io_methods{
    3,       close,  read,   write,   truncate, sync,        file_size, lock,  unlock, check_lock,
    control, sector, device, shm_map, shm_lock, shm_barrier, shm_unmap, fetch, unfetch};

int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* out, int flags, int* out_flags) {
    auto* under = static_cast<sqlite3_vfs*>(vfs->pAppData);
    auto* made = reinterpret_cast<file*>(out);
    made->real = reinterpret_cast<sqlite3_file*>(made + 1);
    made->database = (flags & SQLITE_OPEN_MAIN_DB) != 0;
    const int code = under->xOpen(under, name, made->real, flags, out_flags);
    made->base.pMethods = made->real->pMethods != nullptr ? &io_methods : nullptr;
    return code;
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
        auto* under = sqlite3_vfs_find(nullptr);
        made = *under;
        made.zName = "fault";
        made.szOsFile = static_cast<int>(sizeof(file)) + under->szOsFile;
        made.pAppData = under;
        made.pNext = nullptr;
        made.xOpen = open;
        sqlite3_vfs_register(&made, 0);
    });
    return made.zName;
}

}  // namespace fault

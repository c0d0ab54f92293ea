// A SQLite VFS laid over another: files and calls that are passed on unless a layer replaces them.
//
// A layer's file begins with a `layered_file`; the file below lies behind the layer's own, in the
// room `szOsFile` asks for. The shapes are those of https://www.sqlite.org/vfs.html.
#pragma once

#include <sqlite3.h>

namespace flexcore::store::sqlite::layered_vfs {

struct file {
    sqlite3_file base;
    sqlite3_file* below;
};

inline sqlite3_file* below(sqlite3_file* of) noexcept { return reinterpret_cast<file*>(of)->below; }
inline const sqlite3_io_methods* methods_below(sqlite3_file* of) noexcept {
    return below(of)->pMethods;
}
inline sqlite3_vfs* below(sqlite3_vfs* vfs) noexcept {
    return static_cast<sqlite3_vfs*>(vfs->pAppData);
}

/// Methods of version 2, each passed on: without fetch, so that no page comes from a mapping and
/// past a layer's `xRead`.
constexpr sqlite3_io_methods passed_on() {
    sqlite3_io_methods all{};
    all.iVersion = 2;
    all.xClose = [](sqlite3_file* of) { return methods_below(of)->xClose(below(of)); };
    all.xRead = [](sqlite3_file* of, void* to, int size, sqlite3_int64 at) {
        return methods_below(of)->xRead(below(of), to, size, at);
    };
    all.xWrite = [](sqlite3_file* of, const void* from, int size, sqlite3_int64 at) {
        return methods_below(of)->xWrite(below(of), from, size, at);
    };
    all.xTruncate = [](sqlite3_file* of, sqlite3_int64 size) {
        return methods_below(of)->xTruncate(below(of), size);
    };
    all.xSync = [](sqlite3_file* of, int flags) {
        return methods_below(of)->xSync(below(of), flags);
    };
    all.xFileSize = [](sqlite3_file* of, sqlite3_int64* size) {
        return methods_below(of)->xFileSize(below(of), size);
    };
    all.xLock = [](sqlite3_file* of, int level) {
        return methods_below(of)->xLock(below(of), level);
    };
    all.xUnlock = [](sqlite3_file* of, int level) {
        return methods_below(of)->xUnlock(below(of), level);
    };
    all.xCheckReservedLock = [](sqlite3_file* of, int* out) {
        return methods_below(of)->xCheckReservedLock(below(of), out);
    };
    all.xFileControl = [](sqlite3_file* of, int op, void* with) {
        return methods_below(of)->xFileControl(below(of), op, with);
    };
    all.xSectorSize = [](sqlite3_file* of) { return methods_below(of)->xSectorSize(below(of)); };
    all.xDeviceCharacteristics = [](sqlite3_file* of) {
        return methods_below(of)->xDeviceCharacteristics(below(of));
    };
    all.xShmMap = [](sqlite3_file* of, int page, int size, int extend, void volatile** out) {
        return methods_below(of)->xShmMap(below(of), page, size, extend, out);
    };
    all.xShmLock = [](sqlite3_file* of, int offset, int count, int flags) {
        return methods_below(of)->xShmLock(below(of), offset, count, flags);
    };
    all.xShmBarrier = [](sqlite3_file* of) { methods_below(of)->xShmBarrier(below(of)); };
    all.xShmUnmap = [](sqlite3_file* of, int remove) {
        return methods_below(of)->xShmUnmap(below(of), remove);
    };
    return all;
}

/// Opens the file below behind `made`. `methods` become those of `made` when there is a file.
template <class Layer>
int open_below(sqlite3_vfs* vfs, const char* name, Layer& made, const sqlite3_io_methods& methods,
               int flags, int* out_flags) {
    file& opened = made.opened;
    opened.base.pMethods = nullptr;
    opened.below = reinterpret_cast<sqlite3_file*>(&made + 1);
    const int code = below(vfs)->xOpen(below(vfs), name, opened.below, flags, out_flags);
    if (opened.below->pMethods != nullptr) opened.base.pMethods = &methods;
    return code;
}

/// `over` with another name and room for a layer's own file, not registered.
template <class Layer>
sqlite3_vfs over(sqlite3_vfs* under, const char* name) {
    sqlite3_vfs made = *under;
    made.zName = name;
    made.szOsFile = static_cast<int>(sizeof(Layer)) + under->szOsFile;
    made.pAppData = under;
    made.pNext = nullptr;
    return made;
}

}  // namespace flexcore::store::sqlite::layered_vfs

// A file system for SQLite that refuses what it is told to refuse, over the real one.
#pragma once

#include <atomic>

namespace fault {

/// Registers it once; the name goes into event_log_settings::vfs.
const char* vfs();

struct switches {
    std::atomic<bool> sync_fails{false};           ///< xSync answers SQLITE_IOERR_FSYNC
    std::atomic<int> syncs_to_fail{0};             ///< as many, then it works again
    std::atomic<bool> device_full{false};          ///< xWrite answers SQLITE_FULL
    std::atomic<bool> database_sync_fails{false};  ///< the same, but never for a WAL
    std::atomic<int> writes_to_fail{0};    ///< SQLITE_IOERR_WRITE as often, then it works again
    std::atomic<bool> write_fails{false};  ///< xWrite answers SQLITE_IOERR_WRITE
    std::atomic<int> failed{0};            ///< how often anything was refused

    void heal() {
        sync_fails = false;
        syncs_to_fail = 0;
        database_sync_fails = false;
        writes_to_fail = 0;
        device_full = false;
        write_fails = false;
    }
};
switches& now();

}  // namespace fault

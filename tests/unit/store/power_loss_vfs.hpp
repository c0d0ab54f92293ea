// A disk for SQLite that can lose its power: what was written and not synced is kept apart, and of
// that a cut leaves what it likes.
//
// Model:    sectors of 512 bytes are written whole or not at all. Between two syncs of a file its
//           writes reach the disk in any order, in part, or never; so do changes of its size. Bytes
//           a file grew by and nothing was written to are zeros or rubbish. Names of files are
//           certain after the next sync of any file, as with a journal shared by them all.
// Use:      arm → open, write … → when cut() everything fails; close → lose_power → arm …
// Threads:  any; the order of operations is the caller's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <random>

namespace power_loss {

/// Registers it once, over the real file system; the name goes into the settings' `vfs`.
const char* vfs();

/// The power fails in the `operations`-th write, sync, change of size or removal from now on, or in
/// the `syncs`-th sync, whichever comes first.
struct moment {
    std::uint64_t operations = UINT64_MAX;
    std::uint64_t syncs = UINT64_MAX;
};
void arm(moment);
[[nodiscard]] bool cut();

struct losses {
    std::uint64_t files = 0;    ///< that had anything unsynced
    std::uint64_t dropped = 0;  ///< sectors
    std::uint64_t kept = 0;     ///< sectors
    std::uint64_t torn = 0;     ///< writes of which some sectors were kept and some dropped
    std::uint64_t sizes = 0;    ///< changes of a size that were lost
};
/// Writes what the cut left into the folder's files. Everything is closed.
losses lose_power(const std::filesystem::path& folder, std::mt19937_64&);
/// Forgets all files: the folder goes.
void forget();

}  // namespace power_loss

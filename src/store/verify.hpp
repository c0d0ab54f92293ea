// verify: looks at every page and every promise of a data folder, and changes nothing.
//
// Reads:    the files themselves, read-only, also beside a running server: what counts is what the
//           disk holds, not what a process remembers of it. The log grows meanwhile; what is added
//           later is not looked at. While it runs, the server's WALs are reused less early. Not in
//           the server's own process: closing a file there would drop SQLite's locks on it. Empty
//           files events.db-wal and -shm may stay behind.
// Looks at: the seal of every page; of the log positions, holes, versions, times, ids, checksums,
//           names, tags, keys; of the read models their rows, fields and checkpoints; that indexes
//           and tables agree. Of snapshots only pages and structure: each carries its own checksum.
// Says:     each damage once, first the page it is in. What only follows from a page that was named
//           (that it cannot be read, that nothing fits a log which cannot be read) is left out.
// Errors:   base_errc::invalid_argument (no data folder), unavailable (a file cannot be opened for
//           another reason than damage). Damage is no error but a finding.
// Threads:  one; `progress` runs on it.
#pragma once

#include "base/result.hpp"
#include "store/errc.hpp"
#include "store/event.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::store {

struct finding {
    std::string file;        ///< "events.db", "views.db", "snapshots.db"
    std::uint64_t page = 0;  ///< from 1; 0: not of one page
    position first = 0;      ///< of the events it is about; 0: not of events
    position last = 0;
    std::string what;  ///< one sentence
    std::string remedy;
};

struct verify_progress {
    std::string_view step;  ///< "events.db: pages", "events.db: events", …
    std::uint64_t done = 0;
    std::uint64_t total = 0;  ///< 0: not known
};

struct verify_report {
    static constexpr std::size_t findings_max = 1000;

    std::vector<finding> findings;
    std::uint64_t left_out = 0;  ///< findings beyond findings_max
    bool in_use = false;         ///< a server has the folder
    /// False: damage keeps even the log's end from being read, so that nothing of it is counted and
    /// nothing is compared with it.
    bool log_read = false;
    bool partly = false;  ///< a part of a file could not be looked at: the counts are too low
    position head = 0;
    std::uint64_t pages = 0, unsealed_pages = 0;
    std::uint64_t events = 0, removed = 0;  ///< removed: positions in recorded holes
    std::uint64_t streams = 0, keys = 0;
    std::uint64_t read_models = 0, rows = 0;

    [[nodiscard]] bool sound() const noexcept { return findings.empty(); }
};

[[nodiscard]] result<verify_report> verify(const std::filesystem::path& data,
                                           const std::function<void(const verify_progress&)>&);

}  // namespace flexcore::store

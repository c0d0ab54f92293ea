// verify: looks at every page and every promise of a store, and changes nothing.
//
// SQLite:   reads the files themselves, read-only, also beside a running server: what counts is
// what the
//           disk holds, not what a process remembers of it. The log grows meanwhile; what is added
//           later is not looked at. While it runs, the server's WALs are reused less early. Not in
//           the server's own process: closing a file there would drop SQLite's locks on it. Empty
//           files events.db-wal and -shm may stay behind.
// Looks at: the seal of every page; of the log positions, holes, versions, times, ids, checksums,
//           names, tags, keys; of the read models their rows, fields and checkpoints; that indexes
//           and tables agree. Of snapshots only pages and structure: each carries its own checksum.
// PostgreSQL: asks the database, one moment of it (REPEATABLE READ), page by page; servers may run.
//           Looks at the same of the log and the read models, at snapshots, at tables, indexes and
//           triggers being there and, where the extension amcheck is, at what indexes hold. Pages
//           are the database's own to check (data_checksums), as it reads them. Meanwhile vacuum
//           frees nothing that is younger.
// Says:     each damage once, first the page it is in. What only follows from a page that was named
//           (that it cannot be read, that nothing fits a log which cannot be read) is left out.
// Errors:   base_errc::invalid_argument (no data folder, no such schema), newer_schema, unavailable
// (a
//           file cannot be opened for another reason than damage; no database). Damage is no error
//           but a finding.
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

struct store_settings;

struct finding {
    std::string file;        ///< "events.db", "views.db", "snapshots.db"; PostgreSQL: the table
    std::uint64_t page = 0;  ///< from 1; 0: not of one page
    position first = 0;      ///< of the events it is about; 0: not of events
    position last = 0;
    std::string what;  ///< one sentence
    std::string remedy;
};

struct verify_progress {
    std::string_view step;  ///< "events.db: pages", "events.db: events", "events", …
    std::uint64_t done = 0;
    std::uint64_t total = 0;  ///< 0: not known
};

struct verify_report {
    static constexpr std::size_t findings_max = 1000;

    void add(finding);

    std::string place;                    ///< the folder, or database and schema: for a person
    bool database = false;                ///< PostgreSQL
    std::vector<std::string> notes = {};  ///< what could not be looked at, and how it could
    std::vector<finding> findings;
    std::uint64_t left_out = 0;  ///< findings beyond findings_max
    bool in_use = false;         ///< a server has the folder, or servers are connected
    /// False: damage keeps even the log's end from being read, so that nothing of it is counted and
    /// nothing is compared with it.
    bool log_read = false;
    bool partly = false;  ///< a part of a file could not be looked at: the counts are too low
    position head = 0;
    std::uint64_t pages = 0, unsealed_pages = 0;  ///< SQLite
    std::uint64_t indexes = 0;                    ///< PostgreSQL: looked through
    std::uint64_t events = 0, removed = 0;        ///< removed: positions in recorded holes
    std::uint64_t streams = 0, keys = 0;
    std::uint64_t read_models = 0, rows = 0;
    std::uint64_t snapshots = 0;  ///< PostgreSQL

    [[nodiscard]] bool sound() const noexcept { return findings.empty(); }
};

[[nodiscard]] result<verify_report> verify(const std::filesystem::path& data,
                                           const std::function<void(const verify_progress&)>&);
/// Of the store that these settings name.
[[nodiscard]] result<verify_report> verify(const store_settings&,
                                           const std::function<void(const verify_progress&)>&);

}  // namespace flexcore::store

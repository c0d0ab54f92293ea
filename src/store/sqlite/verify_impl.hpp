// The parts of `verify`, one per kind of look. Each adds findings and goes on; an error means that
// the file cannot be looked at for another reason than damage.
//
// Threads: one.
#pragma once

#include "store/sqlite/connection.hpp"
#include "store/verify.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace flexcore::store::sqlite {

/// What the parts share.
class verifying {
public:
    verifying(verify_report& report, const std::function<void(const verify_progress&)>& progress)
        : report_{report}, progress_{progress} {}

    void found(finding);
    /// Whether this page has been found to be damaged.
    [[nodiscard]] bool has_named(const std::filesystem::path& file, std::uint64_t page) const;
    /// At these positions of events.db; 0: at none.
    void found_in_log(position first, position last, std::string what);
    void step(std::string_view name, std::uint64_t done, std::uint64_t total) const {
        if (progress_) progress_({name, done, total});
    }
    [[nodiscard]] verify_report& report() noexcept { return report_; }

private:
    verify_report& report_;
    const std::function<void(const verify_progress&)>& progress_;
};

/// What to do about damage in it.
[[nodiscard]] const char* remedy_for(const std::filesystem::path& file);

/// The seal of each page as it is on the disk. A page that the WAL holds anew counts from there.
[[nodiscard]] result<void> verify_pages(verifying&, const std::filesystem::path& file);
/// The whole of a file that nothing else is known of.
[[nodiscard]] result<void> verify_file(verifying&, const std::filesystem::path& file);
/// SQLite's own look at structure and indexes. Each complaint is a finding.
[[nodiscard]] result<void> verify_structure(verifying&, connection&);

[[nodiscard]] result<void> verify_log(verifying&, const std::filesystem::path& file);

struct position_range {
    position first = 0, last = 0;
};
/// What a walk over the log did not find: lost, unless it was removed.
struct log_gaps {
    /// A version that does not follow the one before.
    struct jump {
        position at = 0;
        std::string what;
    };
    std::vector<position_range> positions;
    std::vector<jump> jumps;  ///< the first of them
    std::uint64_t versions_missing = 0;
    bool unreadable = false;  ///< some events could not be read
};
/// The position of the last event that was removed; 0: none, or damage, which the next one names.
[[nodiscard]] result<position> last_removed(connection&);
/// Compares what is missing with what was removed, and looks at the traces of removals.
[[nodiscard]] result<void> verify_removals(verifying&, connection&, log_gaps);

/// After verify_log: compares with its head.
[[nodiscard]] result<void> verify_views(verifying&, const std::filesystem::path& file);

/// Why SQLite could not read on, in words: without path, SQL and numbers of codes.
[[nodiscard]] std::string reason_of(const error&, const std::filesystem::path& file);
/// A failure that is damage becomes a finding, unless it is a page that is one already; anything
/// else stays an error.
[[nodiscard]] result<void> as_finding(verifying&, const std::filesystem::path& file,
                                      result<void> done);

}  // namespace flexcore::store::sqlite

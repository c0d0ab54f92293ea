// The parts of `verify` for PostgreSQL. Each adds findings and goes on; an error means that the
// database cannot be asked for another reason than damage.
//
// One moment: a REPEATABLE READ READ ONLY transaction; everything but `look_at_indexes` is asked in
//             it, in pages, so that neither side holds more than one.
// Threads:    one.
#pragma once

#include "store/postgres/operators_session.hpp"
#include "store/verify.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::store::postgres {

using verify_listener = std::function<void(const verify_progress&)>;

class verification {
public:
    /// Connects and begins the transaction. invalid_argument when the schema is not there. `stop`
    /// is asked before each statement: true ends it all with store_errc::stopped.
    [[nodiscard]] static result<verification> begin(const store_settings&, const verify_listener&,
                                                    std::function<bool()> stop = {});

    /// Everything; the transaction has ended then.
    [[nodiscard]] result<void> look_at_all();
    /// The same in two parts: what is looked at in the transaction, which stays open, …
    [[nodiscard]] result<void> look_at_moment();
    /// … and its end, and the indexes.
    [[nodiscard]] result<void> look_at_indexes();

    [[nodiscard]] verify_report& report() noexcept { return report_; }
    [[nodiscard]] const std::string& place() const noexcept { return report_.place; }
    [[nodiscard]] operators_session& database() noexcept { return database_; }
    [[nodiscard]] connection& session() noexcept { return *database_.session; }

    // For the parts.

    /// A statement within the transaction, which survives its failure.
    [[nodiscard]] result<pqxx::result> ask(const std::string& text, const params& = {});
    /// The same, for work that asks for itself.
    template <class Work>
    [[nodiscard]] auto asked(Work work) {
        using answer_type = decltype(work(session()));
        if (stop_ && stop_()) return answer_type{fail(store_errc::stopped, "it was broken off")};
        answer_type answer = work(session());
        if (!answer) recover();
        return answer;
    }
    void found(std::string_view table, std::string what, std::string_view remedy);
    /// About events at these positions; 0: none.
    void found_in_log(std::string_view table, position first, position last, std::string what);
    /// A failure that is damage becomes a finding; anything else stays an error.
    [[nodiscard]] result<void> as_finding(std::string_view table, std::string_view remedy,
                                          result<void> done);
    void step(std::string_view name, std::uint64_t done, std::uint64_t total) const {
        if (progress_) progress_({name, done, total});
    }
    /// False when the table is known to be missing.
    [[nodiscard]] bool has(std::string_view table) const;
    /// Whether all tables, indexes and functions are there.
    [[nodiscard]] bool structure_is_whole() const noexcept { return missing_.empty(); }

private:
    verification(operators_session, const verify_listener&, std::function<bool()> stop);
    [[nodiscard]] result<void> begin_moment();
    [[nodiscard]] result<void> look_at_structure();
    void recover();

    operators_session database_;
    const verify_listener& progress_;
    std::function<bool()> stop_;
    verify_report report_;
    std::vector<std::string> missing_;  ///< tables
};

/// How many bytes of texts one page takes.
inline constexpr std::size_t verified_bytes_max = 8u << 20;

inline constexpr std::string_view log_remedy =
    "leave the database as it is, and serve its latest backup, restored into another one, instead; "
    "events elsewhere can still be read";
inline constexpr std::string_view views_remedy =
    "`flexcore projections rebuild NAME` makes a projection's read models again from the log";
inline constexpr std::string_view snapshots_remedy =
    "nothing has to be done: a damaged snapshot is dropped when a server meets it, and made again";

[[nodiscard]] result<void> verify_events(verification&);
/// After verify_events: streams, names, keys, rules, traces of what was removed.
[[nodiscard]] result<void> verify_names(verification&);
[[nodiscard]] result<void> verify_views(verification&);
[[nodiscard]] result<void> verify_snapshots(verification&);

}  // namespace flexcore::store::postgres

// postings: finds the positions of events that a selector names, through the indexes by tag, type
// and category, without looking at the events between them.
//
// How:     a clause is an intersection of lists that can be entered anywhere: the walk always
//          jumps the list that lies behind to where the others are, so the shortest list sets the
//          cost. A selector is the union of its clauses. Stream prefixes are not looked at here.
// Errors:  the first failure stays in `posting_source::failure`; walks then end.
// Threads: those of the connection.
#pragma once

#include "store/event_log.hpp"
#include "store/sqlite/connection.hpp"

#include <array>
#include <optional>
#include <vector>

namespace flexcore::store::sqlite {

enum class posting_kind : std::uint8_t { tag, type, category };
inline constexpr std::size_t posting_kinds = 3;

/// The statements over one connection.
class posting_source {
public:
    [[nodiscard]] result<void> prepare(connection&);

    /// Ids under a name: of one tenant, or of all (tenant 0).
    [[nodiscard]] std::vector<std::uint64_t> ids(posting_kind, std::string_view name,
                                                 std::uint64_t tenant);
    /// Up to `count` positions of a list, from `from` on in the direction. Appends to `out`.
    void fetch(posting_kind, std::uint64_t id, position from, direction, std::size_t count,
               std::vector<position>& out);

    /// What has been done so far, in blocks fetched: names and many looks at lists count, too.
    [[nodiscard]] std::size_t fetches() const noexcept {
        return fetches_ + looks_ / looks_per_fetch;
    }
    void count_look() noexcept { ++looks_; }
    [[nodiscard]] const std::optional<error>& failure() const noexcept { return failure_; }
    void forget_failure() { failure_.reset(); }

private:
    struct per_kind {
        statement ids_in_tenant, ids_anywhere, forward, backward;
    };
    void failed(int code, std::string_view attempted);

    connection* db_ = nullptr;
    std::array<per_kind, posting_kinds> kinds_;
    static constexpr std::size_t looks_per_fetch = 64;
    std::size_t fetches_ = 0;
    std::size_t looks_ = 0;  ///< at what a list has read ahead
    std::optional<error> failure_;
};

struct walk_step {
    enum class kind : std::uint8_t { hit, paused, end };
    kind what = kind::end;
    position at = 0;  ///< hit: of the event. paused: nothing before it is a hit
};

/// One list, read ahead in blocks that grow while it is read in sequence.
class posting_list {
public:
    posting_list(posting_kind kind, std::uint64_t id) : kind_{kind}, id_{id} {}
    /// The first position at or beyond `from`, 0 when there is none. `from` only moves on.
    [[nodiscard]] position seek(posting_source&, position from, direction);

private:
    posting_kind kind_;
    std::uint64_t id_;
    std::vector<position> block_;
    std::size_t next_ = 0;
    std::size_t ahead_ = 4;
    bool last_block_ = false;
};

/// All positions of one clause, or of a selector, in one direction.
class selector_walk {
public:
    /// `tenant` 0: all tenants. Clauses that name nothing known are left out.
    selector_walk(posting_source&, const selector&, std::uint64_t tenant, direction);

    /// Some clause names neither tag nor type nor category: the lists cannot find its events.
    [[nodiscard]] bool needs_scan() const noexcept { return needs_scan_; }
    /// The first candidate at or beyond `from`. Pauses after about `fetches_max` more fetches.
    [[nodiscard]] walk_step seek(position from, std::size_t fetches_max = SIZE_MAX);

private:
    using any_of = std::vector<posting_list>;
    using all_of = std::vector<any_of>;

    void add(const selector_clause&, std::uint64_t tenant);
    [[nodiscard]] any_of lists(posting_kind, std::span<const std::string> names,
                               std::uint64_t tenant);
    [[nodiscard]] position seek_any(any_of&, position from);
    [[nodiscard]] walk_step seek_clause(all_of&, position from, std::size_t fetches_stop);
    /// Whether `left` comes before `right` in the walk's direction.
    [[nodiscard]] bool before(position left, position right) const noexcept {
        return way_ == direction::forward ? left < right : left > right;
    }

    posting_source& source_;
    const direction way_;
    std::vector<all_of> clauses_;
    bool needs_scan_ = false;
};

}  // namespace flexcore::store::sqlite

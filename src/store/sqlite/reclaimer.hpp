// reclaimer: frees the space of events that are not served any more, a bounded piece per step.
// The only thing that removes events; it records the holes first, in the same transaction.
//
// Order:   stream by stream, each from its beginning, so that what is left of a stream has no gaps.
// Stays:   the last event of the log, which says where positions go on; the last one of a stream,
//          which says its version, unless it was deleted; events of kept categories unless
//          their stream was deleted.
// Ids:     of removed events are remembered for `ids_kept_us`.
// Checked: an event is read whole and compared with its checksum before it goes.
// Damage:  a stream that cannot be read is left alone until the next pass, the others go on.
// Threads: the log writer's, on its connection, inside a transaction of the caller's.
#pragma once

#include "store/rule_board_impl.hpp"
#include "store/sqlite/rule_book.hpp"

#include <set>

namespace flexcore::store::sqlite {

class reclaimer {
public:
    static constexpr unix_us ids_kept_us = 25LL * 3600 * 1'000'000;

    [[nodiscard]] result<void> prepare(connection&);
    /// Whether there is something to do at all: rules, or remembered ids.
    [[nodiscard]] bool wanted(const rule_book&) const noexcept;

    struct step_done {
        std::size_t removed = 0;
        bool passed = false;  ///< all streams were looked at
    };
    /// Looks at some streams and removes some events. `head` is the log's last position.
    [[nodiscard]] result<step_done> step(rule_book&, const rule_board&, position head, unix_us now);
    /// Forgets some ids whose time is over. True: there may be more.
    [[nodiscard]] result<bool> forget_ids(unix_us now);
    [[nodiscard]] result<void> save_kept(const rule_board&, std::size_t& saved);

    /// The transaction of the last step was rolled back.
    void step_undone();
    /// So it was, for damage: this pass leaves out the stream it was met at. False: no stream is to
    /// blame, or too many are; the pass is over.
    [[nodiscard]] bool pass_over();
    /// Rules have changed: once the pass has come to its end, another follows.
    void pass_again() { again_ = true; }

    /// Whether any id of a removed event is remembered.
    [[nodiscard]] bool any_removed() const noexcept { return any_removed_; }

private:
    struct doomed {
        removed_row row;
        std::string tags;
    };
    /// What one step may still take.
    struct room {
        std::size_t events = 0;
        std::size_t bytes = 0;
    };
    /// True: it ended before `to`.
    [[nodiscard]] result<bool> remove(const rule_row&, version to, position head, unix_us now,
                                      room&, std::size_t& removed);
    [[nodiscard]] result<void> record_hole(position, std::string_view operation, unix_us now);
    [[nodiscard]] result<void> remove_tags(const doomed&);
    [[nodiscard]] result<std::string> category_of(std::uint64_t stream);
    void end_pass();

    connection* db_ = nullptr;
    statement next_rules_, category_, doomed_, hole_below_, hole_above_, hole_add_, hole_grow_,
        hole_drop_, id_add_, id_forget_, tag_remove_, event_remove_, kept_add_;
    std::uint64_t after_ = 0;  ///< the stream last looked at
    std::uint64_t began_ = 0;  ///< what it was before the step
    std::uint64_t at_ = 0;     ///< the stream being looked at; 0: none
    std::set<std::uint64_t> passed_over_;
    bool again_ = false;
    bool any_removed_ = false;
};

}  // namespace flexcore::store::sqlite

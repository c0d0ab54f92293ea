// event_reader: one read-only connection to events.db and everything that is asked of it.
//
// Threads: one at a time; the reader pool sees to it.
// Errors:  corrupt when a record's checksum does not fit (the text names its position).
#pragma once

#include "store/event_log.hpp"
#include "store/event_page_impl.hpp"
#include "store/rule_board_impl.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/event_row.hpp"
#include "store/sqlite/postings.hpp"
#include "store/sqlite/rule_book.hpp"

#include <memory>
#include <unordered_map>

namespace flexcore::store::sqlite {

class event_reader {
public:
    [[nodiscard]] static result<std::unique_ptr<event_reader>> open(
        const connection_settings&, std::shared_ptr<const rule_board>);
    event_reader(const event_reader&) = delete;
    event_reader& operator=(const event_reader&) = delete;

    [[nodiscard]] result<stream_page> read_stream(std::string_view tenant, std::string_view stream,
                                                  version from, std::size_t limit, direction);
    [[nodiscard]] result<stream_page> read_history(std::string_view tenant, std::string_view stream,
                                                   version from, std::size_t limit);
    [[nodiscard]] result<log_page> read_log(const log_filter&, position after, std::size_t limit,
                                            direction);
    [[nodiscard]] result<std::shared_ptr<const event_batch>> read_event(std::string_view tenant,
                                                                        const uuid&);
    [[nodiscard]] result<stream_info> stream(std::string_view tenant, std::string_view name);
    [[nodiscard]] result<stream_list> streams(std::string_view tenant, std::string_view category,
                                              std::string_view prefix, std::string_view after,
                                              std::size_t limit);
    [[nodiscard]] result<std::optional<event_log::stored_answer>> find_answer(
        std::string_view tenant, std::string_view key, unix_us now);

    struct log_end {
        position head = 0;
        unix_us recorded_at = 0;
    };
    /// The last event, its record verified; served or not.
    [[nodiscard]] result<log_end> end();
    /// Every event after `after`, served or not, without bounds: what one lost batch may have left.
    [[nodiscard]] result<std::shared_ptr<const event_batch>> read_all(position after);

private:
    struct named {
        std::string name;
        std::uint64_t hash = 0;
    };
    using names_by_id = std::unordered_map<std::uint64_t, named>;
    struct scan;
    /// One snapshot for the statements of a scope; it ends however the scope is left.
    struct snapshot {
        explicit snapshot(event_reader& of) : reader{of} {}
        snapshot(const snapshot&) = delete;
        snapshot& operator=(const snapshot&) = delete;
        ~snapshot() {
            if (!reader.db_.in_transaction()) return;
            if (!reader.db_.run(reader.commit_, "end a read")) reader.db_.roll_back();
        }
        /// `last`: the log's last position in it.
        [[nodiscard]] result<void> begin(position& last);
        event_reader& reader;
    };
    struct found_stream {
        std::uint64_t id = 0;
        unix_us created_at = 0;
        const rule_row* rules = nullptr;  ///< null: none
    };

    explicit event_reader(std::shared_ptr<const rule_board> board) : board_{std::move(board)} {}
    [[nodiscard]] result<void> prepare();
    [[nodiscard]] result<std::uint64_t> tenant_id(std::string_view name);
    [[nodiscard]] result<const named*> name_of(names_by_id&, statement&, std::uint64_t id);
    /// The event the statement stands on; its texts live until the statement moves.
    [[nodiscard]] result<recorded_event> current(statement&);
    [[nodiscard]] result<void> add_current(statement&, event_page&);
    void begin_rules() {
        began_with_ = board_->changes();
        rules_.begin(began_with_, board_->now());
    }
    /// A read that may take streams' rules into account: in one snapshot where there are any,
    /// again when the first ones came meanwhile.
    template <class Read>
    auto under_rules(Read read) -> decltype(read()) {
        for (;;) {
            begin_rules();
            if (rules_.empty()) {
                auto answer = read();
                if (board_->changes() == 0) return answer;
                continue;  // once: the number never comes back to 0
            }
            snapshot one{*this};
            position last = 0;
            if (auto ok = one.begin(last); !ok) return fail(ok.error());
            return read();
        }
    }
    /// Errors: stream_not_found, also when it was softly deleted unless `waits`; stream_deleted.
    [[nodiscard]] result<found_stream> find(std::uint64_t tenant, std::string_view name,
                                            bool waits = false);
    [[nodiscard]] result<stream_page> read_versions(std::uint64_t tenant, std::string_view stream,
                                                    version from, version first, std::size_t limit,
                                                    direction);
    [[nodiscard]] result<position> first_since(unix_us since, position last);
    [[nodiscard]] result<void> scan_rows(scan&);
    [[nodiscard]] result<bool> pass_rows(scan&);
    [[nodiscard]] result<selector> all_categories(std::uint64_t tenant);
    [[nodiscard]] result<void> walk_lists(scan&, selector_walk&);
    [[nodiscard]] result<bool> take(scan&, statement&);
    [[nodiscard]] result<stream_info> info_of(const found_stream&, std::string_view name);
    void trim_caches();

    const std::shared_ptr<const rule_board> board_;
    connection db_;
    posting_source postings_;
    rule_book rules_;
    std::uint64_t began_with_ = 0;  ///< the board's number before the snapshot
    statement begin_, commit_, last_position_;
    statement stream_forward_, stream_backward_;
    statement log_forward_, log_backward_, event_at_, event_by_id_, time_at_;
    statement stream_by_name_, streams_, stream_end_;
    statement tenant_by_name_, tenant_name_, stream_name_, type_name_, category_by_name_;
    statement categories_, answer_;

    std::unordered_map<std::string, std::uint64_t> tenant_ids_;
    names_by_id tenants_, streams_by_id_, types_;
    std::vector<std::string_view> tags_;  ///< of the current event
};

}  // namespace flexcore::store::sqlite

// event_writer: the one writing and checkpointing connection to events.db.
//
// Writing: what a batch adds is gathered in memory and goes in as one statement at its end, or
//          before a look-up that must see it. Names, stream versions and ids of the batch are
//          answered from memory, so a hot append reads nothing from the database.
// Failure: the transaction is rolled back and everything remembered is forgotten. After a failed
//          commit it is not known whether it is on the disk: nobody is told anything but
//          `unavailable`; `recover` opens the database anew, empties the WAL into it, which makes
//          the state on the disk certain, and reads the end of the log back.
// Threads: the log writer's, but for `open` and `release`.
#pragma once

#include "store/append_decision_impl.hpp"
#include "store/name_cache_impl.hpp"
#include "store/rule_board_impl.hpp"
#include "store/sqlite/batch_tables.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/event_reader.hpp"
#include "store/sqlite/postings.hpp"
#include "store/sqlite/reclaimer.hpp"
#include "store/sqlite/rule_book.hpp"

#include <map>
#include <memory_resource>
#include <unordered_map>

namespace flexcore::store::sqlite {

struct event_writer_settings {
    connection_settings database;
    std::shared_ptr<rule_board> rules = {};  ///< null: one of its own
    std::uint64_t wal_bytes_max = 32u << 20;
    log_writer::clock clock = now_unix_us;
    telemetry::gauge* wal_bytes = nullptr;
    telemetry::counter* reclaimed = nullptr;  ///< events removed
};

class event_writer final : public log_backend, log_state {
public:
    /// Opens and migrates; the file is made when absent.
    [[nodiscard]] static result<std::unique_ptr<event_writer>> open(event_writer_settings);
    ~event_writer() override;

    // log_backend
    result<void> write(write_batch&) override;
    result<recovered> recover(position known_head) override;
    result<deadline> tidy(bool idle) override;
    void close() override;

    /// Closes the connection, after `close`; the last one of the database to go.
    void release();

private:
    struct stream_entry : stream_state {
        std::uint64_t tenant = 0;
        std::uint64_t category = 0;
        std::uint64_t name_hash = 0;
        std::uint64_t tenant_hash = 0;
    };
    struct name_entry {
        std::uint64_t id = 0;
        std::uint64_t hash = 0;
    };
    struct id_in_tenant {
        uuid id;
        std::uint64_t tenant = 0;
        friend bool operator==(const id_in_tenant&, const id_in_tenant&) = default;
    };
    struct id_hash {
        std::size_t operator()(const id_in_tenant& of) const noexcept {
            return uuid_hash{}(of.id) ^ of.tenant;
        }
    };
    struct name_statements {
        statement find, add;
    };

    explicit event_writer(event_writer_settings settings);
    [[nodiscard]] result<void> connect();
    [[nodiscard]] result<void> prepare();
    void disconnect();
    void forget_everything();
    void start_batch();
    [[nodiscard]] result<void> write_and_commit(write_batch&);
    void flush();
    [[nodiscard]] result<void> look_for_rules();
    void begin_rules(unix_us now);
    // event_writer_housekeeping.cpp
    [[nodiscard]] bool checkpoint_due(bool idle) const;
    [[nodiscard]] result<void> checkpoint();
    [[nodiscard]] result<bool> purge_expired_keys();
    [[nodiscard]] result<bool> reclaim();
    [[nodiscard]] result<void> put_off(result<void> done, std::string_view what) const;
    /// Between two tries to reclaim that failed, and between steps while appends wait.
    static constexpr auto reclaim_pause = std::chrono::seconds{60};
    static constexpr auto reclaim_pause_busy = std::chrono::milliseconds{100};
    /// Look-ups of a batch's conditions, a few microseconds each: nobody in it is answered before.
    static constexpr std::size_t looks_of_batch_max = 100'000;

    // log_state
    stream_state& stream(std::string_view tenant, std::string_view name) override;
    std::optional<known_event> event_with_id(std::string_view tenant, const uuid& id) override;
    std::optional<known_event> event_at(position) override;
    version version_before(const stream_state&, position before) override;
    std::optional<event_log::stored_answer> answer(std::string_view tenant, std::string_view key,
                                                   unix_us now) override;
    result<position> first_match(std::string_view tenant, const selector&, position after,
                                 unix_us now) override;
    void change(const stream_change&, std::string_view tenant, stream_state&) override;
    void revive(stream_state&) override;
    void add(const recorded_event& event, stream_state&, std::uint32_t place) override;
    void remember(std::string_view tenant, const idempotency_entry&, std::string answer,
                  unix_us now) override;

    [[nodiscard]] bool step_row(statement&, std::string_view attempted);
    void step_done(statement&, std::string_view attempted);
    [[nodiscard]] const name_entry* tenant(std::string_view name);
    [[nodiscard]] const name_entry& tenant_made(std::string_view name);
    [[nodiscard]] const name_entry& name(posting_kind, std::uint64_t tenant, std::string_view name);
    void create(stream_entry&, const recorded_event&);
    [[nodiscard]] std::optional<known_event> known(statement&, std::string_view attempted);
    [[nodiscard]] std::optional<known_event> removed(statement&);
    [[nodiscard]] const rule_row* rules_of(std::uint64_t stream, std::uint64_t tenant);
    void write_rules(const rule_row&);
    // event_writer_match.cpp: does an event match a condition?
    struct search;
    [[nodiscard]] position first_of(search&, const selector_clause&);
    [[nodiscard]] position first_of_lists(search&, const selector_clause&);
    [[nodiscard]] position first_in_streams(search&, const selector_clause&,
                                            const std::vector<std::uint64_t>& streams);
    [[nodiscard]] position first_of_prefix(search&, std::string_view prefix);
    [[nodiscard]] position first_of_events(search&, std::string_view prefix);
    [[nodiscard]] selector_walk walk_of(search&, const selector_clause&);
    [[nodiscard]] walk_step seek(search&, selector_walk&, position from);
    [[nodiscard]] bool hidden(search&, std::uint64_t stream, version, unix_us recorded_at);
    [[nodiscard]] bool hidden(search&, position);
    [[nodiscard]] std::vector<std::uint64_t> streams_of(search&, std::string_view prefix,
                                                        std::size_t limit);
    [[nodiscard]] std::vector<std::string> categories_of(search&, std::string_view prefix,
                                                         std::size_t limit);
    [[nodiscard]] version version_from(std::uint64_t stream, version last, position from);
    [[nodiscard]] position position_of(std::uint64_t stream, version ver);
    [[nodiscard]] version last_version(std::uint64_t stream);

    const event_writer_settings settings_;
    pending_rows pending_;  ///< before the connection, which shows it as tables
    connection db_;
    posting_source postings_;
    rule_book rules_;
    reclaimer reclaimer_;
    std::pmr::monotonic_buffer_resource batch_memory_;
    std::string tag_bytes_;
    std::unordered_map<id_in_tenant, std::size_t, id_hash> pending_ids_;
    std::size_t pending_ids_upto_ = 0;
    bool wrote_ = false;          ///< anything in this transaction
    bool rules_changed_ = false;  ///< by this transaction

    position head_ = 0;           ///< with what this batch has added
    std::size_t looks_left_ = 0;  ///< of all conditions of this batch

    name_cache<name_entry> tenants_;
    name_cache<stream_entry> streams_;
    std::map<std::pair<std::string, std::string>, stream_entry> unborn_;
    std::array<name_cache<name_entry>, posting_kinds> names_;

    statement begin_, commit_, insert_events_, insert_tags_;
    statement tenant_find_, tenant_add_, stream_find_, stream_add_, stream_version_;
    std::array<name_statements, posting_kinds> name_statements_;
    statement by_id_, by_position_, stream_of_event_;
    statement events_after_, stream_range_, category_range_, version_at_;
    statement key_find_, key_add_, key_expired_, key_purge_;
    statement rules_put_, removed_by_id_, removed_at_, removed_from_;

    int wal_frames_ = 0;        ///< as of the last commit
    int wal_frames_retry_ = 0;  ///< a checkpoint that readers held up is tried again here
    std::uint64_t frame_bytes_ = 0;
    deadline purge_at_{};
    deadline reclaim_at_{};
    deadline not_reclaiming_before_{};  ///< after it has failed, whatever is due
};

}  // namespace flexcore::store::sqlite

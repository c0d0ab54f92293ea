// event_writer: the one session of this process that writes to the log in PostgreSQL.
//
// Deciding: in this process, by the rules that all backends share, on what is known of the log:
//           versions of streams, ids of names, what a look-up said. `append_batch` writes the
//           batch only if the log still stands where that knowledge was good (log_head.changes) and
//           what was merely assumed (a stream, id or key that nobody has seen is not there) is so.
//           So the usual batch is one round trip; one that needs a look-up first is two; when
//           another server has written meanwhile its events are fetched and the batch is decided
//           anew; when that happens again and again the head row is locked first.
// Failure:  a session that is lost in the middle of `append_batch` leaves it open whether the batch
//           is there. The next session locks the head row, which waits for the lost transaction's
//           end, looks, and moves `changes` on, so that a statement still under way cannot succeed
//           later. Only then anybody is answered. When no session can be had for `resolve_max` all
//           are told `unavailable`.
// Threads:  the log writer's, but for `open` and `hangs`.
#pragma once

#include "store/append_decision_impl.hpp"
#include "store/name_cache_impl.hpp"
#include "store/postgres/batch_rows.hpp"
#include "store/postgres/reclaimer.hpp"
#include "store/postgres/sessions.hpp"
#include "store/postgres/standing.hpp"
#include "store/rule_board_impl.hpp"

#include <atomic>
#include <deque>
#include <map>
#include <set>
#include <unordered_map>

namespace flexcore::store::postgres {

struct event_writer_settings {
    connection_settings database;
    std::shared_ptr<standing> known;
    std::shared_ptr<rule_board> rules;
    std::shared_ptr<sessions> readers = {};  ///< renewed with the writer's session
    log_writer::clock clock = now_unix_us;
    telemetry::counter* reclaimed = nullptr;  ///< events removed
    std::chrono::milliseconds poll{1'000};    ///< for what others write, when nobody writes here
};

class event_writer final : public log_backend, log_state {
public:
    /// Connects and reads where the log stands; the schema is migrated already.
    [[nodiscard]] static result<std::unique_ptr<event_writer>> open(event_writer_settings);
    ~event_writer() override;

    [[nodiscard]] const log_head& head() const noexcept { return head_; }

    // log_backend
    result<void> write(write_batch&) override;
    bool changes_stand_alone() const noexcept override { return true; }
    result<recovered> recover(position known_head) override;
    foreign_commits take_foreign() override;
    result<deadline> tidy(bool idle) override;
    [[nodiscard]] bool hangs() const noexcept override;
    void close() override;

private:
    struct stream_entry : stream_state {
        std::uint64_t tenant = 0;
        std::uint64_t category = 0;
        stream_rules rules;
    };
    using text_pair = std::pair<std::string, std::string>;
    struct pending_event {
        known_event known;
        std::uint64_t tenant = 0;
        uuid id;
    };
    struct pending_key {
        const idempotency_entry* entry = nullptr;
        std::string answer;
        std::uint64_t tenant = 0;
        unix_us expires_at = 0;
    };
    using id_in_tenant = std::pair<std::uint64_t, uuid>;
    class at_work {
    public:
        explicit at_work(std::atomic<monotonic::rep>& since);
        ~at_work();
        at_work(const at_work&) = delete;
        at_work& operator=(const at_work&) = delete;

    private:
        std::atomic<monotonic::rep>& since_;
    };

    explicit event_writer(event_writer_settings settings);
    // The same, unless a row cannot be read.
    [[nodiscard]] result<void> begin_here();
    [[nodiscard]] result<void> write_decided(write_batch&);
    [[nodiscard]] result<recovered> recover_from(position known_head);
    [[nodiscard]] result<deadline> look_after(bool idle);

    [[nodiscard]] result<void> connect();
    [[nodiscard]] result<void> load_rules();
    void forget_everything();

    // One try to write a batch.
    enum class tried : std::uint8_t { written, moved, assumed_wrongly };
    void begin_try(write_batch&);
    void undo_try();
    void settle(const write_batch&);
    [[nodiscard]] result<tried> try_once(write_batch&, bool look, bool locked);
    [[nodiscard]] result<tried> call(write_batch&, bool locked);
    [[nodiscard]] result<bool> resolve(const write_batch&, const uuid& token,
                                       monotonic::time_point begun);
    [[nodiscard]] result<bool> resolve_once(const write_batch&, const uuid& token);
    void fill(batch_rows&);

    // What others have written: event_writer_others.cpp
    [[nodiscard]] result<log_head> read_head(bool locked);
    [[nodiscard]] result<void> catch_up();
    [[nodiscard]] result<void> learn(const log_head& upto);
    void note(const recorded_event&);
    [[nodiscard]] result<void> look_at_others();
    [[nodiscard]] result<void> tidy_idly();
    [[nodiscard]] result<void> purge_expired_keys(bool idle);

    // What has to be asked before: event_writer_facts.cpp
    [[nodiscard]] bool knows_enough(const write_batch&);
    /// False: the log has moved since.
    [[nodiscard]] result<bool> look_up(const write_batch&);

    // log_state: event_writer_state.cpp
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

    [[nodiscard]] std::uint64_t* tenant(std::string_view name);
    [[nodiscard]] std::uint64_t tenant_made(std::string_view name);
    [[nodiscard]] std::uint64_t name_made(name_kind, std::uint64_t tenant, std::string_view name);
    void touch(stream_entry&);
    void write_rules(stream_entry&);
    [[nodiscard]] result<pqxx::result> asked(const sql&, const params&);
    [[nodiscard]] std::optional<known_event> known_by(const sql&, const params&);
    [[nodiscard]] result<position> match_in_database(std::uint64_t tenant, const selector_clause&,
                                                     position after, unix_us now, bool rules);

    const event_writer_settings settings_;
    std::unique_ptr<connection> db_;
    std::unique_ptr<connection> searching_;  ///< for conditions, with a short time-out
    log_head head_;                          ///< as the database has it
    position head_position_ = 0;             ///< with what this try has added

    std::array<name_cache<std::uint64_t>, 5> names_;  ///< by name_kind
    name_cache<stream_entry> streams_;

    // Of the present try.
    std::unique_ptr<batch_rows> rows_;
    std::uint64_t last_id_ = 0;
    bool looked_ = false;
    bool unresolved_ = false;  ///< it is not known whether the batch is there
    bool assumed_ = false;     ///< anything that append_batch has to prove
    int lost_tries_ = 0;       ///< of this batch, with their sessions
    unix_us keys_at_ = 0;      ///< by this clock, not the log's: a fast one would expire them all
    monotonic::duration searched_{};                                     ///< for conditions
    std::vector<std::pair<std::uint64_t, std::string>> absent_streams_;  ///< in the cache
    std::vector<std::pair<stream_entry*, stream_entry>> touched_;        ///< as they were before
    struct made_name {
        name_kind kind;
        std::uint64_t tenant;
        std::string name;
    };
    std::vector<made_name> made_names_;
    std::map<text_pair, stream_entry> unborn_;  ///< of tenants that are not there yet
    std::vector<pending_event> pending_;
    std::vector<recorded_event> pending_shown_;  ///< the same, for conditions
    std::map<id_in_tenant, std::size_t> pending_ids_;
    std::map<text_pair, pending_key> pending_keys_;
    std::map<std::uint64_t, const stream_entry*> changed_rules_;
    // What the look-up of this try has found.
    std::map<id_in_tenant, known_event> found_ids_;
    std::map<text_pair, event_log::stored_answer> found_keys_;

    reclaimer reclaimer_;
    foreign_commits foreign_;
    deadline poll_at_{};
    deadline purge_at_{};
    deadline rests_until_{};   ///< nothing is asked before, while nobody writes
    bool more_to_do_ = false;  ///< to purge or to reclaim
    backoff pace_;
    std::atomic<monotonic::rep> works_since_{0};  ///< when what is at hand was begun; 0: nothing
};

}  // namespace flexcore::store::postgres

// view_writer: the one session that writes the read models.
//
// Threads: the projector's; one transaction at a time.
// Failure: a lost session is replaced at the next call, not before `backoff` allows it. What it
//          knew of rows goes with it; where the checkpoint stands is looked up by `begin`.
#pragma once

#include "store/postgres/sessions.hpp"
#include "store/postgres/view_reader.hpp"

#include <memory>

namespace flexcore::store::postgres {

class view_writer {
public:
    /// The session is given up when those of the pool are renewed: it may be with a server that has
    /// been replaced. `readers` are told before anything changes.
    view_writer(connection_settings, std::shared_ptr<sessions> pool,
                std::shared_ptr<view_moments> readers);
    ~view_writer();
    view_writer(const view_writer&) = delete;
    view_writer& operator=(const view_writer&) = delete;

    [[nodiscard]] result<std::vector<generation>> generations();
    [[nodiscard]] result<generation> create(std::string_view projection, std::uint32_t version,
                                            const std::vector<model_spec>&);
    [[nodiscard]] result<void> serve(generation_id);
    [[nodiscard]] result<void> drop(generation_id);
    [[nodiscard]] result<void> set_paused(std::string_view projection, bool);
    [[nodiscard]] result<void> set_stopped(generation_id, std::string_view why);
    [[nodiscard]] result<std::unique_ptr<view_transaction>> begin(generation_id, position expected);
    /// Idempotent.
    void stop();

private:
    struct session;
    struct written_generation;
    class transaction;

    /// The session, opened when there is none; refused while a transaction is open.
    [[nodiscard]] result<session*> idle();
    /// `work(session&)`, once more when the session turns out to be lost: for what may be done
    /// twice.
    template <class Work>
    auto repeated(Work work) -> decltype(work(std::declval<session&>()));
    /// Runs `change(connection&, generations)` in one transaction, alone among all servers.
    template <class Change>
    [[nodiscard]] result<void> change_generations(bool other_tables_serve, Change change);
    void drop_tables_left_when_due(session&);

    const connection_settings settings_;
    const std::shared_ptr<sessions> pool_;
    const std::shared_ptr<view_moments> readers_;
    std::shared_ptr<session> session_;
    std::uint64_t session_age_ = 0;  ///< of the pool, before it was opened
    backoff pace_;
    std::optional<error> last_failure_;
    deadline tables_due_{};  ///< when to look for tables to drop
    bool stopped_ = false;
};

}  // namespace flexcore::store::postgres

// view_writer::session: the writing connection to views.db and what is prepared on it.
#pragma once

#include "store/sqlite/view_damage.hpp"
#include "store/sqlite/view_writer.hpp"

#include <map>

namespace flexcore::store::sqlite {

struct view_writer::session {
    struct model_writes {
        model_table model;
        statement put, remove;
        position changed_at = 0;  ///< by the open transaction, 0 when it changed nothing
    };
    /// Statements of one generation, kept as long as the catalogue stays as it is.
    struct prepared_generation {
        explicit prepared_generation(connection& db) : tables{db} {}
        view_tables tables;
        std::vector<model_writes> writes;
    };

    session(connection opened, std::uint64_t wal_limit)
        : db{std::move(opened)}, wal_bytes_max{wal_limit} {}

    [[nodiscard]] result<void> prepare();
    [[nodiscard]] result<prepared_generation*> of(generation_id);
    void forget_generations() { generations.clear(); }
    void roll_back();
    void checkpoint_when_due();
    /// A failure that is no refusal leaves the connection in doubt: it is opened anew. (A full
    /// device is certain, and has no room to open anything anew.)
    template <class T>
    [[nodiscard]] result<T> noted(result<T> answer) {
        if (!answer && (answer.error().code == store_errc::unavailable ||
                        answer.error().code == store_errc::corrupt)) {
            broken = true;
            if (answer.error().code == store_errc::corrupt) note_damage(db.file(), answer.error());
        }
        return answer;
    }

    connection db;
    std::map<generation_id, std::unique_ptr<prepared_generation>> generations;
    statement begin, commit, checkpoint_of, set_checkpoint, set_changed_at;
    const std::uint64_t wal_bytes_max;
    std::uint64_t frame_bytes = 0;
    int wal_frames = 0;
    int wal_frames_retry = 0;
    bool open = false;  ///< a view_transaction is
    bool broken = false;
};

class view_writer::transaction final : public view_transaction {
public:
    transaction(std::shared_ptr<session> in, session::prepared_generation& on, generation_id id,
                position checkpoint)
        : session_{std::move(in)}, on_{on}, id_{id}, checkpoint_{checkpoint} {}
    ~transaction() override;

    result<std::optional<row>> get(std::string_view tenant, std::string_view model,
                                   std::string_view key) override;
    result<row_page> scan(std::string_view tenant, std::string_view model,
                          const scan_query&) override;
    result<position> changed_at(std::string_view model) override;
    result<void> put(std::string_view tenant, std::string_view model, std::string_view key,
                     std::string_view json, position pos) override;
    result<void> remove(std::string_view tenant, std::string_view model, std::string_view key,
                        position pos) override;
    result<void> commit(position new_checkpoint) override;

private:
    /// Whether statements still belong to the transaction. SQLite ends it by itself after some
    /// failures; what is written then would stand alone, without the rows before it.
    [[nodiscard]] result<void> usable() const;
    /// A failure of the store ends the transaction, whatever SQLite has made of it.
    template <class T>
    [[nodiscard]] result<T> kept(result<T> answer);
    [[nodiscard]] result<session::model_writes*> writes_of(std::string_view model);
    [[nodiscard]] result<void> write_changes(position new_checkpoint);
    void end();

    const std::shared_ptr<session> session_;
    session::prepared_generation& on_;
    const generation_id id_;
    const position checkpoint_;
    std::optional<error> failed_;  ///< the store's first failure
    bool ended_ = false;
};

}  // namespace flexcore::store::sqlite

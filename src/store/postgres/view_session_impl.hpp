// view_writer::session: the writing session, the statements kept for it, and what is known of rows.
#pragma once

#include "store/postgres/absent_filter.hpp"
#include "store/postgres/row_cache.hpp"
#include "store/postgres/view_writer.hpp"

#include <deque>
#include <map>

namespace flexcore::store::postgres {

/// One generation as its writer knows it.
struct view_writer::written_generation {
    struct model {
        model_table table;
        sql get;
        std::optional<absent_filter> absent;  ///< when all its rows were written here
    };
    std::vector<model> models;
    sql commit;
    std::int64_t commits = -1;    ///< what is known of rows is true as of this commit
    std::uint64_t knowledge = 0;  ///< stands in the ids of the row cache: a new one forgets all
};

struct view_writer::session {
    static constexpr std::size_t row_cache_bytes_max = std::size_t{32} << 20;

    explicit session(std::unique_ptr<connection> opened) : db{std::move(opened)} {}

    [[nodiscard]] result<written_generation*> of(generation_id);
    /// A statement whose text lives as long as the session.
    [[nodiscard]] sql keep(std::string name, std::string text);

    std::unique_ptr<connection> db;
    std::map<generation_id, std::unique_ptr<written_generation>> generations;
    std::deque<std::string> texts;
    row_cache rows{row_cache_bytes_max};
    std::uint64_t last_knowledge = 0;
    bool open = false;  ///< a view_transaction is
    bool stopped = false;
};

class view_writer::transaction final : public view_transaction {
public:
    transaction(std::shared_ptr<session> in, written_generation& on, generation_id id,
                position checkpoint, std::shared_ptr<view_moments> readers)
        : session_{std::move(in)},
          on_{on},
          id_{id},
          readers_{std::move(readers)},
          writes_(on.models.size()),
          checkpoint_{checkpoint},
          commits_{on.commits} {}
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
    /// A row as this transaction leaves it. A removed one has no text.
    struct change {
        std::string tenant, key;
        std::optional<known_row> content;
        std::vector<std::string> columns;  ///< of the indexed fields
        position pos = 0;
        bool perhaps = false;  ///< removed, and whether it was there is for the database to say
        bool written = false;  ///< within the open database transaction
    };
    struct model_writes {
        std::unordered_map<std::string, change> changes;  ///< by id
        position changed_at = 0;
    };

    [[nodiscard]] result<void> usable() const;
    [[nodiscard]] result<std::size_t> number_of(std::string_view model) const;
    [[nodiscard]] std::string id_of(std::size_t number, std::string_view tenant,
                                    std::string_view key) const;
    /// What is known without asking; null when nothing is.
    [[nodiscard]] const std::optional<known_row>* known(std::size_t number, const std::string& id);
    [[nodiscard]] result<void> add(std::size_t number, const std::string& id, change made);
    /// Ends the transaction's use when the database failed.
    template <class T>
    [[nodiscard]] result<T> kept(result<T> answer);
    /// Everything gathered, and the checkpoint, in one statement.
    [[nodiscard]] result<void> write(position new_checkpoint);
    [[nodiscard]] params parameters(position new_checkpoint) const;
    [[nodiscard]] error why_not_written();
    /// Writes what is gathered without committing it.
    [[nodiscard]] result<void> flush();
    void remember_rows();
    void end();

    static constexpr std::size_t gathered_bytes_max = std::size_t{8} << 20;

    const std::shared_ptr<session> session_;
    written_generation& on_;
    const generation_id id_;
    const std::shared_ptr<view_moments> readers_;
    std::vector<model_writes> writes_;  ///< by the models' numbers
    std::size_t gathered_bytes_ = 0;
    position checkpoint_;
    std::int64_t commits_;
    bool in_database_ = false;  ///< a transaction is open there
    std::optional<error> failed_;
    bool ended_ = false;
};

}  // namespace flexcore::store::postgres

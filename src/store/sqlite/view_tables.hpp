// view_tables: point reads and scans of a set of read models over one connection, with the
// statements kept.
//
// Threads: those of the connection.
#pragma once

#include "store/sqlite/view_catalogue.hpp"

#include <optional>
#include <string>
#include <unordered_map>

namespace flexcore::store::sqlite {

class view_tables {
public:
    explicit view_tables(connection& db) : db_{db} {}

    /// Forgets all statements: tables they name may be gone.
    void use(model_tables models);

    [[nodiscard]] result<std::optional<row>> get(std::string_view tenant, std::string_view model,
                                                 std::string_view key);
    [[nodiscard]] result<row_page> scan(std::string_view tenant, std::string_view model,
                                        const scan_query&);
    [[nodiscard]] result<position> changed_at(std::string_view model);
    /// Null when there is no such model.
    [[nodiscard]] const model_table* find(std::string_view model) const;

private:
    struct kept {
        model_table model;
        statement get;
    };
    [[nodiscard]] result<kept*> known(std::string_view model);
    [[nodiscard]] result<statement*> prepared(const std::string& sql);

    connection& db_;
    std::vector<kept> models_;  ///< few: looked through in order
    std::unordered_map<std::string, statement> scans_;
    statement changed_at_;
};

}  // namespace flexcore::store::sqlite

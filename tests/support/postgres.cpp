#include "support/postgres.hpp"

#include <libpq-fe.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <stdexcept>

namespace flexcore::test {

std::string postgres_url() {
    const std::filesystem::path build{FLEXCORE_BINARY_DIR};
    std::ifstream file{build / "tests" / "postgres.url"};
    std::string url;
    if (!std::getline(file, url))
        throw std::runtime_error{
            "no PostgreSQL runs for this test; ctest starts one, and so does\n"
            "  tests/support/shared_postgres.py start --build " +
            build.string()};
    return url;
}

std::vector<std::vector<std::string>> ask_postgres(const std::string& url, const std::string& sql) {
    const std::unique_ptr<PGconn, void (*)(PGconn*)> connection{PQconnectdb(url.c_str()), PQfinish};
    if (PQstatus(connection.get()) != CONNECTION_OK)
        throw std::runtime_error{PQerrorMessage(connection.get())};
    const std::unique_ptr<PGresult, void (*)(PGresult*)> answer{
        PQexec(connection.get(), sql.c_str()), PQclear};
    const auto status = PQresultStatus(answer.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        throw std::runtime_error{sql + ": " + PQerrorMessage(connection.get())};
    std::vector<std::vector<std::string>> rows;
    for (int row = 0; row < PQntuples(answer.get()); ++row) {
        auto& values = rows.emplace_back();
        for (int column = 0; column < PQnfields(answer.get()); ++column)
            values.emplace_back(PQgetvalue(answer.get(), row, column));
    }
    return rows;
}

postgres_schema::postgres_schema() : url_{postgres_url()} {
    static std::atomic<unsigned> count{0};
    static const unsigned run = std::random_device{}();
    name_ = "test_" + std::to_string(::getpid()) + "_" + std::to_string(run) + "_" +
            std::to_string(++count);
}

postgres_schema::~postgres_schema() { static_cast<void>(drop()); }

std::vector<std::vector<std::string>> postgres_schema::ask(const std::string& sql) const {
    return ask_postgres(url_, "SET search_path = " + name_ + "; " + sql);
}

std::string postgres_schema::drop() noexcept {
    if (dropped_) return {};
    try {
        ask_postgres(url_,
                     "SET client_min_messages = warning; SET lock_timeout = '20s'; "
                     "DROP SCHEMA IF EXISTS " +
                         name_ + " CASCADE");
        dropped_ = true;
        return {};
    } catch (const std::exception& why) {
        return why.what();
    }
}

}  // namespace flexcore::test

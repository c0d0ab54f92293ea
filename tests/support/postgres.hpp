// A schema of a test's own in the PostgreSQL that all tests of a run share (shared_postgres.py).
//
//   test::postgres_schema schema;              // a name that nobody else has; whoever uses it
//   makes it settings.url = schema.url(); settings.schema = schema.name(); schema.ask("SELECT
//   count(*) FROM events");  // with the schema as the search path
//
// Needs the fixture: flexcore_test(… LIBS flexcore_test_postgres POSTGRES).
// Lifetime: the destructor drops the schema with all in it.
// Threads:  any, one after the other.
#pragma once

#include <string>
#include <vector>

namespace flexcore::test {

/// Of the role that owns the database. Throws std::runtime_error, which says how to start the
/// server, when none runs.
[[nodiscard]] std::string postgres_url();

/// Each row's values as text, NULL as an empty one, of the last of several statements. Throws
/// std::runtime_error.
std::vector<std::vector<std::string>> ask_postgres(const std::string& url, const std::string& sql);

class postgres_schema {
public:
    postgres_schema();
    ~postgres_schema();
    postgres_schema(const postgres_schema&) = delete;
    postgres_schema& operator=(const postgres_schema&) = delete;

    [[nodiscard]] const std::string& url() const noexcept { return url_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    std::vector<std::vector<std::string>> ask(const std::string& sql) const;
    /// Why it could not be dropped: somebody still holds a lock in it. Empty: it is gone.
    [[nodiscard]] std::string drop() noexcept;

private:
    std::string url_;
    std::string name_;
    bool dropped_ = false;
};

}  // namespace flexcore::test

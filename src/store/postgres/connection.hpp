// connection: one session with the database. libpqxx underneath; no exception leaves.
//
// Statements: `sql` objects are constants of the program; each is prepared once per session, under
//             its name. Parameters travel as text.
// Errors:     unavailable (the connection, the server, a time-out: `usable` says whether the
//             session goes on), full (53100), corrupt (the server's own checks),
//             base_errc::internal for what only a defect brings about. The log text has what the
//             server said, never a parameter.
// Threads:    one at a time.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "store/errc.hpp"
#include "store/postgres/conninfo.hpp"
#include "store/postgres/params.hpp"
#include "store/postgres/watch.hpp"

#include <pqxx/result>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace flexcore::store::postgres {

/// A statement: a unique name of at most 63 bytes, and its text with $1, $2, …
struct sql {
    const char* name;
    const char* text;
};

class connection;

struct connection_settings {
    conninfo where;
    std::string schema = "flexcore";
    std::chrono::milliseconds statement_timeout{30'000};  ///< the server's; ours a second later
    bool read_only = false;
    /// Reads as well are waited for as long as statement_timeout, also when nothing else is heard.
    bool patient = false;
    std::shared_ptr<watch> overdue = {};  ///< shared by all sessions of a store; never null
    /// Asked when a session is set up: may this server be used, and which timeline is it on?
    std::function<result<std::uint32_t>(connection&)> accepts = {};
    /// Of several hosts the one that was used last comes last.
    bool others_first = false;
};

/// The same failure for whoever only uses the database: where it is and what is wrong there is
/// the operator's to know.
[[nodiscard]] error for_clients(error);

/// For values in rows that are not what their columns promise.
[[nodiscard]] error unreadable(const std::exception&);

/// `work()`, which takes values out of rows: those that cannot be read are an error as well.
template <class Work>
auto believing(Work work) -> decltype(work()) {
    try {
        return work();
    } catch (const std::exception& e) {
        return fail(unreadable(e));
    }
}

class connection {
public:
    /// Connects to the first host that takes writes and is accepted, beginning with the one that
    /// was last, and sets the session up: search path, time-outs, synchronous_commit=on.
    [[nodiscard]] static result<std::unique_ptr<connection>> open(const connection_settings&);
    ~connection();
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    [[nodiscard]] result<pqxx::result> run(const sql&, const params& = {});
    /// A statement whose text is made for this call; it is not kept.
    [[nodiscard]] result<pqxx::result> run_once(const std::string& text, const params&);
    /// The same, but prepared once per session as those of `run` are: for texts of which there are
    /// some dozens at most.
    [[nodiscard]] result<pqxx::result> run_kept(const std::string& text, const params&);
    /// One or more statements without parameters, in one round trip; the last one's rows.
    [[nodiscard]] result<pqxx::result> script(const std::string& text);

    [[nodiscard]] result<void> begin();
    /// A failure is ambiguous: the transaction may be there.
    [[nodiscard]] result<void> commit();
    void roll_back() noexcept;
    /// Ends a transaction that has only read, without waiting for the answer: the next statement
    /// takes it, and finds out then when the session was lost.
    void end_read() noexcept;

    /// Whether the last statement was given up for its time.
    [[nodiscard]] bool timed_out() const noexcept;
    /// False once the session is gone, or its server has been replaced by another: give it up.
    [[nodiscard]] bool usable() const noexcept;
    /// Whether the server has warned since the last call: of a commit, that it "might not have been
    /// replicated".
    [[nodiscard]] bool take_warning() noexcept;
    [[nodiscard]] const std::string& schema() const noexcept;
    [[nodiscard]] std::string server_version() const;
    /// Of the server's process, as whoever took the connection has said: a pooler says another.
    [[nodiscard]] int process() const;

private:
    struct state;
    [[nodiscard]] static result<std::unique_ptr<connection>> open(const connection_settings&,
                                                                  const std::string& host);
    explicit connection(std::unique_ptr<state>);
    std::unique_ptr<state> state_;
};

}  // namespace flexcore::store::postgres

#include "store/postgres/connection.hpp"

#include "telemetry/log.hpp"

#include <pqxx/connection>
#include <pqxx/errorhandler>
#include <pqxx/except>
#include <pqxx/nontransaction>
#include <pqxx/pipeline>
#include <pqxx/prepared_statement>

#include <fcntl.h>
#include <unistd.h>

#include <optional>
#include <system_error>
#include <unordered_map>
#include <unordered_set>

namespace flexcore::store::postgres {
namespace {

constexpr std::chrono::seconds grace{1};  // for the server's own time-out to come first

// Everything here is meant to go through indexes. A plan is kept as long as its session, and may
// have been made when the tables were small: then reading a whole table, or hashing it, looks
// cheap, and is ruinous later. Where there is no other way they are taken all the same, and what
// they are said to cost then would set off the compiler. Statements are planned once: with
// nothing to choose, their parameters' values do not matter.
constexpr const char* planning =
    "SET enable_seqscan TO off; SET enable_hashjoin TO off; SET enable_mergejoin TO off;"
    "SET enable_bitmapscan TO off; SET jit TO off; SET max_parallel_workers_per_gather TO 0;"
    "SET plan_cache_mode TO force_generic_plan;";

/// What the server says besides its answers. Sessions ask for warnings only.
class notices final : public pqxx::errorhandler {
public:
    explicit notices(pqxx::connection_base& of) : errorhandler{of} {}
    bool operator()(const char text[]) noexcept override {
        warned = true;
        telemetry::log(telemetry::level::warn, "store", "PostgreSQL warns",
                       {{"text", std::string_view{text}}});
        return false;
    }
    bool warned = false;
};

std::string one_line(std::string_view text) {
    std::string out{text.substr(0, text.find_last_not_of(" \n\r\t") + 1)};
    std::replace(out.begin(), out.end(), '\n', ' ');
    return out;
}

/// By SQLSTATE: PostgreSQL 15, appendix A.
error failure_of(const pqxx::sql_error& e, std::string_view attempted) {
    const std::string& state = e.sqlstate();
    std::string log = fmt::format("{}: {} (SQLSTATE {})", attempted, one_line(e.what()), state);
    const auto is = [&](std::string_view start) { return state.starts_with(start); };
    if (is("53100"))
        return {store_errc::full, "no space is left where the database is", std::move(log)};
    if (is("57014")) return {store_errc::unavailable, "the database took too long", std::move(log)};
    if (is("25006")) {
        return {store_errc::unavailable, "the database server is read-only: a standby?",
                std::move(log)};
    }
    if (is("XX001") || is("XX002")) {
        return {store_errc::corrupt, "what the database has kept is damaged", std::move(log)};
    }
    // Lost connections, resources, an operator at work, deadlocks: the next try may succeed.
    for (const auto* passing : {"08", "40", "53", "55", "57", "58"}) {
        if (is(passing))
            return {store_errc::unavailable, "the database is not available", std::move(log)};
    }
    return {make_error_code(base_errc::internal), "the database refused a statement",
            std::move(log)};
}

error failure_to_connect(const conninfo& where, std::string_view what) {
    return {store_errc::unavailable, fmt::format("{} cannot be reached", where.place),
            one_line(what)};
}

}  // namespace

struct connection::state {
    /// A statement that was sent, and whose answer nobody has taken yet.
    struct unanswered {
        explicit unanswered(pqxx::connection& session) : plain{session}, line{plain} {
            line.retain(0);  // sent as soon as it is there
        }
        pqxx::nontransaction plain;
        pqxx::pipeline line;
    };

    /// The session's socket, for the watch: libpq closes its own when it gives a session up, and
    /// that number may soon be somebody else's.
    struct watched_socket {
        explicit watched_socket(int of) : number{::fcntl(of, F_DUPFD_CLOEXEC, 0)} {
            if (number == -1)
                throw std::system_error{errno, std::generic_category(), "a session's socket"};
        }
        ~watched_socket() { ::close(number); }
        watched_socket(const watched_socket&) = delete;
        watched_socket& operator=(const watched_socket&) = delete;
        const int number;
    };

    state(const connection_settings& s, const std::string& host)
        : settings{s}, session{host}, socket{session.sock()}, heard{session} {}

    /// Everything that may throw or hang goes through here.
    template <class Work>
    result<pqxx::result> guarded(std::string_view attempted, Work work) {
        if (!usable()) return fail(store_errc::unavailable, "the database session has ended");
        timed_out = false;
        watch::guard overdue{*settings.overdue, asks(), socket.number,
                             monotonic::now() + settings.statement_timeout + grace, timeline};
        try {
            take_answer();
            pqxx::nontransaction plain{session};
            auto answer = work(plain);
            overdue.answered();
            return answer;
        } catch (const pqxx::broken_connection& e) {
            broken = true;
            return fail(store_errc::unavailable, "the connection to the database was lost",
                        fmt::format("{}: {}", attempted, one_line(e.what())));
        } catch (const pqxx::sql_error& e) {
            overdue.answered();
            if (!session.is_open()) broken = true;
            timed_out = e.sqlstate() == "57014";
            return fail(failure_of(e, attempted));
        } catch (const std::exception& e) {
            broken = true;  // whatever it was, nobody knows what the session is at
            return fail(store_errc::unavailable, "the connection to the database was lost",
                        fmt::format("{}: {}", attempted, one_line(e.what())));
        }
    }

    ~state() {
        if (!pending) return;
        // Else the pipeline would open a connection to cancel what is done already. A server that
        // has gone silent does not hold up whoever stops.
        try {
            watch::guard overdue{*settings.overdue, asks(), socket.number,
                                 monotonic::now() + grace};
            take_answer();
            overdue.answered();
        } catch (const std::exception&) {
            pending.reset();
        }
    }

    [[nodiscard]] watch::what asks() const noexcept {
        return settings.read_only && !settings.patient ? watch::what::read : watch::what::write;
    }

    [[nodiscard]] bool usable() const noexcept {
        return !broken && !settings.overdue->replaced(timeline);
    }

    void take_answer() {
        if (!pending) return;
        try {
            pending->line.complete();
        } catch (...) {
            pending.reset();
            throw pqxx::broken_connection{"the end of the read before was not answered"};
        }
        pending.reset();
    }

    const connection_settings settings;
    pqxx::connection session;
    const watched_socket socket;
    std::optional<unanswered> pending;
    notices heard;  ///< unregistered before the session goes
    std::unordered_set<const char*> prepared;
    std::unordered_map<std::string, std::string> kept;  ///< names by their texts
    std::uint32_t timeline = 0;                         ///< of its server; 0 until that is accepted
    bool broken = false;
    bool in_transaction = false;
    bool timed_out = false;
};

result<std::unique_ptr<connection>> connection::open(const connection_settings& settings) {
    error last;
    const auto& hosts = settings.where.hosts;
    const std::size_t first = *settings.where.last_used + (settings.others_first ? 1 : 0);
    for (std::size_t tried = 0; tried < hosts.size(); ++tried) {
        const std::size_t at = (first + tried) % hosts.size();
        auto made = open(settings, hosts[at]);
        if (made) {
            *settings.where.last_used = at;
            // Whoever still waits for the one before is woken, and shall find this one first.
            settings.overdue->serves((*made)->state_->timeline);
            return made;
        }
        // What a server has said against itself tells more than that another does not answer.
        if (last.client.empty() ||
            made.error().client != failure_to_connect(settings.where, "").client)
            last = std::move(made.error());
    }
    return fail(std::move(last));
}

result<std::unique_ptr<connection>> connection::open(const connection_settings& settings,
                                                     const std::string& host) {
    std::unique_ptr<state> made;
    {
        // Answered or not: what is run first on it will tell. A refusal is an answer, but one
        // host's says nothing of another's silence.
        watch::guard begun{*settings.overdue, watch::what::connect, -1, no_deadline};
        try {
            made = std::make_unique<state>(settings, host);
        } catch (const std::exception& e) {
            const bool refused = std::string_view{e.what()}.find("FATAL") != std::string_view::npos;
            if (refused && settings.where.hosts.size() == 1) begun.answered();
            return fail(failure_to_connect(settings.where, e.what()));
        }
    }
// A session that comes back by itself would have lost its settings, and a transaction its work.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    made->session.inhibit_reactivation(true);
#pragma GCC diagnostic pop
    made->session.set_verbosity(pqxx::connection_base::terse);  // details are values
    std::unique_ptr<connection> opened{new connection{std::move(made)}};
    // Not as start-up options: poolers refuse those.
    const auto ready = opened->script(fmt::format(
        "{} SET search_path TO {}; SET client_min_messages TO warning; SET statement_timeout TO {};"
        "SET idle_in_transaction_session_timeout TO {}; SET lock_timeout TO {};"
        "SELECT set_config('synchronous_commit', 'on', false) WHERE "
        "current_setting('synchronous_commit') IN ('off', 'local');"
        "SET default_transaction_isolation TO 'read committed'; SET standard_conforming_strings TO "
        "on;"
        "SET extra_float_digits TO 1; SET default_transaction_read_only TO {}",
        planning, opened->state_->session.quote_name(settings.schema),
        settings.statement_timeout.count(), settings.statement_timeout.count(),
        settings.statement_timeout.count(), settings.read_only ? "on" : "off"));
    if (!ready) return fail(ready.error());
    if (settings.accepts) {
        const auto timeline = settings.accepts(*opened);
        if (!timeline) return fail(timeline.error());
        opened->state_->timeline = *timeline;
    }
    return opened;
}

error for_clients(error why) {
    why.log = why.client + (why.log.empty() ? "" : ": " + why.log);
    why.client = "the database is not available";
    return why;
}

error unreadable(const std::exception& e) {
    return {store_errc::corrupt, "the database holds what FlexCore has not written",
            one_line(e.what())};
}

connection::connection(std::unique_ptr<state> made) : state_{std::move(made)} {}
connection::~connection() = default;

result<pqxx::result> connection::run(const sql& what, const params& with) {
    return state_->guarded(what.name, [&](pqxx::nontransaction& plain) {
        if (state_->prepared.insert(what.name).second) {
            state_->session.prepare(what.name, what.text);
        }
        return plain.exec_prepared(what.name, pqxx::prepare::make_dynamic_params(with.all()));
    });
}

result<pqxx::result> connection::run_once(const std::string& text, const params& with) {
    return state_->guarded("a statement made for the call", [&](pqxx::nontransaction& plain) {
        return plain.exec_params(text, pqxx::prepare::make_dynamic_params(with.all()));
    });
}

result<pqxx::result> connection::run_kept(const std::string& text, const params& with) {
    return state_->guarded("a statement made once", [&](pqxx::nontransaction& plain) {
        const auto [at, fresh] = state_->kept.try_emplace(text);
        if (fresh) {
            at->second = fmt::format("kept_{}", state_->kept.size());
            state_->session.prepare(at->second, text);
        }
        return plain.exec_prepared(at->second, pqxx::prepare::make_dynamic_params(with.all()));
    });
}

result<pqxx::result> connection::script(const std::string& text) {
    return state_->guarded("script", [&](pqxx::nontransaction& plain) { return plain.exec(text); });
}

result<void> connection::begin() {
    if (auto ok = script("BEGIN"); !ok) return fail(ok.error());
    state_->in_transaction = true;
    return {};
}

result<void> connection::commit() {
    state_->in_transaction = false;
    if (auto ok = script("COMMIT"); !ok) return fail(ok.error());
    return {};
}

void connection::roll_back() noexcept {
    if (!std::exchange(state_->in_transaction, false) || state_->broken) return;
    if (!script("ROLLBACK")) state_->broken = true;
}

void connection::end_read() noexcept {
    if (state_->broken) return;
    try {
        state_->take_answer();
        state_->pending.emplace(state_->session).line.insert("COMMIT");
    } catch (const std::exception&) {
        state_->broken = true;
        state_->pending.reset();
    }
}

bool connection::timed_out() const noexcept { return state_->timed_out; }

bool connection::usable() const noexcept { return state_->usable(); }

bool connection::take_warning() noexcept { return std::exchange(state_->heard.warned, false); }

const std::string& connection::schema() const noexcept { return state_->settings.schema; }

std::string connection::server_version() const {
    const int version = state_->session.server_version();
    return fmt::format("{}.{}", version / 10'000, version % 10'000);
}

int connection::process() const { return state_->session.backendpid(); }

}  // namespace flexcore::store::postgres

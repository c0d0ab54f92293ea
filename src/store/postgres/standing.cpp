#include "store/postgres/standing.hpp"

#include "telemetry/log.hpp"

#include <fmt/format.h>
#include <pqxx/row>

#include <fcntl.h>
#include <unistd.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fstream>
#include <sstream>
#include <utility>

namespace flexcore::store::postgres {
namespace {

constexpr const char* file_name = "postgres.json";
// Always as long, so that it can be written over in one piece.
constexpr std::size_t file_bytes = 128;

// The timeline as WAL files are named by it: the control file learns of a promotion only later.
constexpr sql server_identity{
    "server_identity",
    "SELECT system_identifier::text, "
    "('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint, "
    "extract(epoch FROM pg_postmaster_start_time())::text FROM pg_control_system()"};
constexpr sql log_is_there{"log_is_there", "SELECT to_regclass('log_head') IS NOT NULL"};
constexpr sql log_ends{
    "log_ends", "SELECT coalesce(max(position), 0), coalesce(max(changes), 0) FROM log_head"};
constexpr auto between_tries = std::chrono::seconds{1};

bool write_whole(int to, std::string_view text) {
    return ::pwrite(to, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
}

}  // namespace

standing::standing(std::shared_ptr<data_folder> folder)
    : folder_{std::move(folder)}, file_{folder_->path() / file_name} {}

result<std::shared_ptr<standing>> standing::open(std::shared_ptr<data_folder> folder) {
    std::shared_ptr<standing> made{new standing{std::move(folder)}};
    std::ifstream in{made->file_};
    if (!in) return made;
    std::ostringstream text;
    text << in.rdbuf();
    boost::system::error_code problem;
    const auto value = boost::json::parse(text.str(), problem);
    const auto* object = problem ? nullptr : value.if_object();
    const auto* system = object == nullptr ? nullptr : object->if_contains("system");
    const auto* timeline = object == nullptr ? nullptr : object->if_contains("timeline");
    const auto* at = object == nullptr ? nullptr : object->if_contains("position");
    if (system == nullptr || timeline == nullptr || at == nullptr || !system->is_string() ||
        !timeline->is_int64() || !at->is_int64()) {
        return fail(base_errc::invalid_argument,
                    fmt::format("{} is not what was written there; remove it to take the database "
                                "as it is",
                                made->file_));
    }
    made->now_.system = system->get_string();
    made->now_.timeline = static_cast<std::uint32_t>(timeline->get_int64());
    made->acknowledged_.pos = static_cast<position>(at->get_int64());
    // Files of before have none.
    if (const auto* changes = object->if_contains("changes");
        changes != nullptr && changes->is_int64())
        made->acknowledged_.changes = static_cast<std::uint64_t>(changes->get_int64());
    return made;
}

standing::~standing() {
    if (open_ != -1) ::close(open_);
}

/// Nothing when there is no log yet.
result<standing::log_end> standing::end_of_log(connection& session) {
    const auto there = session.run(log_is_there);
    if (!there) return fail(there.error());
    if (!(*there)[0][0].as<bool>()) return log_end{};
    const auto head = session.run(log_ends);
    if (!head) return fail(head.error());
    return log_end{.pos = (*head)[0][0].as<position>(),
                   .changes = (*head)[0][1].as<std::uint64_t>()};
}

result<std::uint32_t> standing::check(connection& session) {
    return believing([&]() -> result<std::uint32_t> {
        const auto rows = session.run(server_identity);
        if (!rows) return fail(rows.error());
        const auto row = (*rows)[0];
        const server found{.system = row[0].as<std::string>(),
                           .timeline = row[1].as<std::uint32_t>(),
                           .since = row[2].as<std::string>()};
        if (auto ok = check(session, found); !ok) return fail(ok.error());
        return found.timeline;
    });
}

result<void> standing::check(connection& session, const server& found) {
    bool any = false;
    {
        const std::lock_guard lock{mutex_};
        // As long as it runs it loses nothing, and whoever asks does not wait for a lock.
        if (found == now_) return {};
        any = acknowledged_.pos != 0 || acknowledged_.changes != 0;
    }
    const auto end = any ? end_of_log(session) : result<log_end>{log_end{}};
    if (!end) return fail(end.error());
    const std::lock_guard lock{mutex_};
    // Accepted by another session meanwhile: what was acknowledged since then came from it. Else it
    // came from the server before, up to now.
    if (found == now_) return {};
    const log_end& least = acknowledged_;
    if (!now_.system.empty() && found.system != now_.system) {
        return fail(
            store_errc::unavailable,
            fmt::format("the database is another cluster (system identifier {}) than this "
                        "data folder has served (see {}). Mend store.url; or, when a backup was "
                        "restored there and is meant, move that file away to take the "
                        "database as it is",
                        found.system, file_));
    }
    if (found.timeline < now_.timeline) {
        return fail(store_errc::unavailable,
                    fmt::format("the database server is on timeline {}, and timeline {} was served "
                                "already: it was replaced by a standby meanwhile and must not be "
                                "written to",
                                found.timeline, now_.timeline));
    }
    if (end->pos < least.pos || end->changes < least.changes) {
        const std::string missing =
            end->pos < least.pos
                ? fmt::format(
                      "events are missing: the log ends at position {}, and {} was "
                      "acknowledged",
                      end->pos, least.pos)
                : fmt::format("changes are missing: the log has had {}, and {} were acknowledged",
                              end->changes, least.changes);
        return fail(store_errc::unavailable,
                    fmt::format("{}. Is this an old primary, a standby that was behind, or a "
                                "restored backup? When it is meant, stop, move {} away to take "
                                "the database as it is, and start again",
                                missing, file_));
    }
    now_ = found;
    write_anew();
    return {};
}

void standing::acknowledged(position pos, std::uint64_t changes) {
    const std::lock_guard lock{mutex_};
    if (pos <= acknowledged_.pos && changes <= acknowledged_.changes) return;
    acknowledged_ = {.pos = std::max(pos, acknowledged_.pos),
                     .changes = std::max(changes, acknowledged_.changes)};
    write_over();
}

std::string standing::text() const {
    auto out = boost::json::serialize(boost::json::object{{"system", now_.system},
                                                          {"timeline", now_.timeline},
                                                          {"position", acknowledged_.pos},
                                                          {"changes", acknowledged_.changes}});
    out.resize(std::max(out.size(), file_bytes - 1), ' ');
    return out += '\n';
}

void standing::write_anew() {
    write_at_ = monotonic::now() + between_tries;
    const auto aside = file_ + ".new";
    const int made = ::open(aside.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const bool written = made != -1 && write_whole(made, text()) && ::fsync(made) == 0 &&
                         ::rename(aside.c_str(), file_.c_str()) == 0;
    noted(written, aside);
    if (!written) {
        if (made != -1) ::close(made);
        // A full disk still has the room of the one that is there.
        if (open_ != -1) write_over();
        return;
    }
    if (const int before = std::exchange(open_, made); before != -1) ::close(before);
    if (auto ok = folder_->sync(); !ok) noted(false, file_);
}

void standing::write_over() {
    if (open_ != -1) return noted(write_whole(open_, text()), file_);
    if (monotonic::now() >= write_at_) write_anew();
}

/// Said once, not with each batch.
void standing::noted(bool written, const std::string& file) {
    if (!written && !failed_) {
        telemetry::log(telemetry::level::warn, "store",
                       "what was acknowledged cannot be written down",
                       {{"file", std::string_view{file}},
                        {"detail", std::string_view{std::generic_category().message(errno)}}});
    }
    failed_ = !written;
}

}  // namespace flexcore::store::postgres

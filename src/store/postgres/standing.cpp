#include "store/postgres/standing.hpp"

#include "telemetry/log.hpp"

#include <fmt/format.h>
#include <pqxx/row>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fstream>
#include <sstream>

namespace flexcore::store::postgres {
namespace {

constexpr const char* file_name = "postgres.json";

// The timeline as WAL files are named by it: the control file learns of a promotion only later.
constexpr sql server_identity{
    "server_identity",
    "SELECT system_identifier::text, "
    "('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint "
    "FROM pg_control_system()"};

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
    made->system_ = system->get_string();
    made->timeline_ = static_cast<std::uint32_t>(timeline->get_int64());
    made->position_ = made->saved_position_ = static_cast<position>(at->get_int64());
    return made;
}

result<void> standing::check(connection& session) {
    const auto rows = session.run(server_identity);
    if (!rows) return fail(rows.error());
    const auto system = (*rows)[0][0].as<std::string>();
    const auto timeline = (*rows)[0][1].as<std::uint32_t>();
    const std::lock_guard lock{mutex_};
    if (!system_.empty() && system != system_) {
        return fail(
            store_errc::unavailable,
            fmt::format("the database is another cluster (system identifier {}) than this "
                        "data folder has served (see {}). Mend store.url; or, when a backup was "
                        "restored there and is meant, move that file away to take the "
                        "database as it is",
                        system, file_));
    }
    if (timeline < timeline_) {
        return fail(store_errc::unavailable,
                    fmt::format("the database server is on timeline {}, and timeline {} was served "
                                "already: it was replaced by a standby meanwhile and must not be "
                                "written to",
                                timeline, timeline_));
    }
    unsaved_ = unsaved_ || system != system_ || timeline != timeline_;
    system_ = system;
    timeline_ = timeline;
    return {};
}

void standing::acknowledged(position pos) {
    const std::lock_guard lock{mutex_};
    position_ = std::max(position_, pos);
}

result<void> standing::check_end(position pos) const {
    const std::lock_guard lock{mutex_};
    if (pos >= position_) return {};
    return fail(store_errc::unavailable,
                fmt::format("events are missing: the log ends at position {}, and {} was "
                            "acknowledged. Is this an old primary, or a restored backup? When it "
                            "is meant, move {} away to take the database as it is",
                            pos, position_, file_));
}

void standing::save() {
    const std::lock_guard lock{mutex_};
    if (!unsaved_ && position_ == saved_position_) return;
    const auto aside = file_ + ".new";
    {
        std::ofstream out{aside, std::ios::trunc};
        out << boost::json::serialize(boost::json::object{
                   {"system", system_}, {"timeline", timeline_}, {"position", position_}})
            << '\n';
        if (!out.flush()) {
            telemetry::log(telemetry::level::warn, "store",
                           "what was acknowledged cannot be written down",
                           {{"file", std::string_view{aside}}});
            return;
        }
    }
    std::error_code problem;
    std::filesystem::rename(aside, file_, problem);
    if (problem) {
        telemetry::log(
            telemetry::level::warn, "store", "what was acknowledged cannot be written down",
            {{"file", std::string_view{aside}}, {"detail", std::string_view{problem.message()}}});
        return;
    }
    unsaved_ = false;
    saved_position_ = position_;
}

}  // namespace flexcore::store::postgres

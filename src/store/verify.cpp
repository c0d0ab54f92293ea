#include "store/verify.hpp"

#include "store/data_folder_impl.hpp"
#include "store/open.hpp"
#include "store/postgres/verify_impl.hpp"
#include "store/sqlite/verify_impl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace flexcore::store {
namespace sqlite {
namespace {

constexpr const char* no_database = "its beginning is damaged, so that it is no database any more";
/// Of events.db, when not even its end can be read.
constexpr const char* remedy_without_log =
    "stop the server, keep the folder, and serve a copy of its latest `flexcore backup` instead: "
    "as "
    "this file is, no server can read its events";

/// The number behind the last "page " or "Page "; 0 when there is none.
std::uint64_t page_in(std::string_view text) {
    const auto at = text.rfind("age ");
    std::uint64_t page = 0;
    if (at != text.npos) std::from_chars(text.data() + at + 4, text.data() + text.size(), page);
    return page;
}

/// A line of integrity_check. What begins with a page that cannot be read ends with an error code,
/// and the look at the pages has said more about that page.
std::string structure_in_words(std::string_view line, bool unreadable) {
    const bool page = line.starts_with("Page ");
    return fmt::format("the structure is damaged: {}{}{}", page ? "page" : "",
                       line.substr(page ? 4 : 0), unreadable ? " cannot be read" : "");
}

}  // namespace

std::string reason_of(const error& why, const std::filesystem::path& file) {
    // "FILE: what was attempted: what SQLite says (code)"
    std::string_view text = why.log;
    const std::string begin = file.string() + ": ";
    if (!text.starts_with(begin)) return why.log.empty() ? why.client : why.log;
    text.remove_prefix(begin.size());
    if (const auto attempted = text.find(": "); attempted != text.npos)
        text.remove_prefix(attempted + 2);
    if (text.ends_with(fmt::format("({})", SQLITE_NOTADB))) return no_database;
    if (text.ends_with(')')) text = text.substr(0, text.rfind(" ("));
    return std::string{text};
}

const char* remedy_for(const std::filesystem::path& file) {
    if (file.filename() == "events.db") {
        return "stop the server, keep the folder, and serve a copy of its latest `flexcore backup` "
               "instead; events elsewhere in the file can still be read";
    }
    if (file.filename() == "views.db") {
        return "stop the server and move views.db, views.db-wal and views.db-shm away: the next "
               "start makes the read models again from the log";
    }
    return "stop the server and move the file and its -wal and -shm away: it is made again as it "
           "is "
           "needed";
}

void verifying::found(finding one) { report_.add(std::move(one)); }

bool verifying::has_named(const std::filesystem::path& file, std::uint64_t page) const {
    if (page == 0) return false;
    const std::string name = file.filename().string();
    return std::ranges::any_of(
        report_.findings, [&](const finding& one) { return one.page == page && one.file == name; });
}

void verifying::found_in_log(position first, position last, std::string what) {
    constexpr const char* file = "events.db";
    found({.file = file,
           .first = first,
           .last = last,
           .what = std::move(what),
           .remedy = remedy_for(file)});
}

result<void> as_finding(verifying& look, const std::filesystem::path& file, result<void> done) {
    if (done || done.error().code != store_errc::corrupt) return done;
    look.report().partly = true;
    const std::string reason = reason_of(done.error(), file);
    const auto page = reason == no_database ? 1 : page_in(reason);
    if (look.has_named(file, page)) return {};
    look.found({.file = file.filename().string(),
                .what = "a part of the file cannot be read: " + reason,
                .remedy = remedy_for(file)});
    return {};
}

result<void> verify_structure(verifying& look, connection& db) {
    const std::filesystem::path file{db.file()};
    look.step(file.filename().string() + ": structure and indexes", 0, 0);
    auto check = db.prepare("PRAGMA integrity_check(100)");
    if (!check) return as_finding(look, file, fail(std::move(check.error())));
    int code = check->step();
    for (; code == SQLITE_ROW; code = check->step()) {
        std::string_view rest = check->text(0);
        if (rest == "ok") continue;
        while (!rest.empty()) {
            const std::string_view line = rest.substr(0, rest.find('\n'));
            rest.remove_prefix(std::min(rest.size(), line.size() + 1));
            if (line.empty() || line.starts_with("*** in database")) continue;
            const bool unreadable = line.find("error code") != line.npos;
            const auto place = unreadable ? line.substr(0, line.find(':')) : line;
            if (unreadable && look.has_named(file, page_in(place))) continue;
            look.found({.file = file.filename().string(),
                        .what = structure_in_words(place, unreadable),
                        .remedy = remedy_for(file)});
        }
    }
    if (code == SQLITE_DONE) return {};
    return as_finding(look, file, fail(db.failure(code, "check the structure")));
}

result<void> verify_file(verifying& look, const std::filesystem::path& file) {
    if (auto ok = verify_pages(look, file); !ok) return ok;
    auto db = connection::open({.file = file});
    if (!db) return as_finding(look, file, fail(std::move(db.error())));
    return verify_structure(look, *db);
}

}  // namespace sqlite

void verify_report::add(finding one) {
    if (findings.size() == findings_max) {
        ++left_out;
        return;
    }
    findings.push_back(std::move(one));
}

result<verify_report> verify(const store_settings& settings,
                             const std::function<void(const verify_progress&)>& progress) {
    if (!is_postgres_url(settings.url)) return verify(settings.data, progress);
    auto look = postgres::verification::begin(settings, progress);
    if (!look) return fail(std::move(look.error()));
    if (auto ok = look->look_at_all(); !ok) return fail(std::move(ok.error()));
    return std::move(look->report());
}

result<verify_report> verify(const std::filesystem::path& data,
                             const std::function<void(const verify_progress&)>& progress) {
    std::error_code problem;
    if (!std::filesystem::is_directory(data, problem)) {
        return fail(base_errc::invalid_argument,
                    fmt::format("{} is no data folder", data.string()));
    }
    const auto events = data / "events.db";
    const auto views = data / "views.db";
    const auto snapshots = data / "snapshots.db";
    if (!std::filesystem::exists(events, problem)) {
        return fail(base_errc::invalid_argument,
                    fmt::format("{} has no events.db: it is no data folder, or nothing was ever "
                                "served from it",
                                data.string()));
    }
    verify_report report;
    report.place = data.string();
    report.in_use = data_folder::in_use(data);
    sqlite::verifying look{report, progress};
    if (auto ok = sqlite::verify_pages(look, events); !ok) return fail(std::move(ok.error()));
    if (auto ok = sqlite::verify_log(look, events); !ok) return fail(std::move(ok.error()));
    if (!report.log_read) {
        for (finding& one : report.findings) one.remedy = sqlite::remedy_without_log;
    }
    if (std::filesystem::exists(views, problem)) {
        if (auto ok = sqlite::verify_pages(look, views); !ok) return fail(std::move(ok.error()));
        if (auto ok = sqlite::verify_views(look, views); !ok) return fail(std::move(ok.error()));
    }
    if (std::filesystem::exists(snapshots, problem)) {
        if (auto ok = sqlite::verify_file(look, snapshots); !ok) return fail(std::move(ok.error()));
    }
    return report;
}

}  // namespace flexcore::store

#include "store/postgres/operators_session.hpp"

#include <fmt/format.h>

namespace flexcore::store::postgres {
namespace {

// Not to be taken for a server among the sessions.
constexpr const char* application = "flexcore tool";

}  // namespace

std::string reason_of(const error& why) {
    // "what was attempted: ERROR:  what the server says (SQLSTATE 42501)"
    std::string_view text = why.log.empty() ? why.client : why.log;
    if (const auto begin = text.find("ERROR: "); begin != text.npos) text.remove_prefix(begin + 7);
    if (const auto end = text.rfind(" (SQLSTATE"); end != text.npos) text = text.substr(0, end);
    const auto first = text.find_first_not_of(' ');
    return std::string{text.substr(first == text.npos ? 0 : first)};
}

error for_operator(error why) {
    if (!why.log.empty()) why.client = fmt::format("{}: {}", why.client, reason_of(why));
    why.log.clear();
    return why;
}

result<operators_session> open_operators_session(const store_settings& given, bool read_only,
                                                 std::chrono::milliseconds timeout) {
    auto where =
        read_conninfo(given.url, given.password_file,
                      std::chrono::ceil<std::chrono::seconds>(given.connect_timeout), application);
    if (!where) return fail(std::move(where.error()));
    const auto hosts = std::move(where->hosts);
    operators_session made;
    made.place = fmt::format("{}, schema {}", where->place, given.schema);
    made.settings = {.where = std::move(*where),
                     .schema = given.schema,
                     .statement_timeout = timeout != timeout.zero()
                                              ? timeout
                                              : std::chrono::ceil<std::chrono::milliseconds>(
                                                    given.statement_timeout),
                     .read_only = read_only,
                     .patient = true,
                     .overdue = std::make_shared<watch>()};
    error last;
    for (const auto& host : hosts) {
        made.settings.where.hosts = {host};
        auto opened = connection::open(made.settings);
        if (opened) {
            made.session = std::move(*opened);
            return made;
        }
        last = std::move(opened.error());
    }
    return fail(for_operator(std::move(last)));
}

}  // namespace flexcore::store::postgres

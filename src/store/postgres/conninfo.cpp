#include "store/postgres/conninfo.hpp"

#include <libpq-fe.h>

#include <fmt/format.h>

#include <cstring>
#include <fstream>
#include <map>
#include <memory>

namespace flexcore::store::postgres {
namespace {

struct free_options {
    void operator()(PQconninfoOption* all) const noexcept { PQconninfoFree(all); }
};
struct free_text {
    void operator()(char* text) const noexcept { PQfreemem(text); }
};

/// As libpq reads them back: quotes and backslashes escaped.
std::string as_value(std::string_view value) {
    std::string out = "'";
    for (const char c : value) {
        if (c == '\'' || c == '\\') out += '\\';
        out += c;
    }
    return out += '\'';
}

/// libpq's message may repeat a piece of the URL, and so the password: what it says of the rest is
/// cut off.
std::string without_values(std::string_view message) {
    return std::string{message.substr(0, message.find_first_of("\":"))};
}

using options = std::map<std::string, std::string>;

result<options> parse(const std::string& url) {
    char* raw = nullptr;
    const std::unique_ptr<PQconninfoOption, free_options> all{PQconninfoParse(url.c_str(), &raw)};
    const std::unique_ptr<char, free_text> message{raw};
    if (!all) {
        return fail(base_errc::invalid_argument,
                    fmt::format("store.url is no PostgreSQL URL: {}",
                                message ? without_values(message.get()) : "out of memory"));
    }
    options given;
    for (const auto* one = all.get(); one->keyword != nullptr; ++one) {
        if (one->val != nullptr && *one->val != '\0') given[one->keyword] = one->val;
    }
    return given;
}

result<std::string> first_line(const std::string& file) {
    std::ifstream in{file};
    std::string line;
    if (!in || !std::getline(in, line)) {
        return fail(base_errc::io,
                    fmt::format("store.password_file {} cannot be read, or is empty", file));
    }
    if (line.ends_with('\r')) line.pop_back();
    return line;
}

std::string or_else(const options& given, const char* name, const char* otherwise) {
    const auto found = given.find(name);
    return found == given.end() ? otherwise : found->second;
}

}  // namespace

result<conninfo> read_conninfo(std::string_view url, const std::string& password_file,
                               std::chrono::seconds connect_timeout) {
    auto given = parse(std::string{url});
    if (!given) return fail(std::move(given.error()));
    if (!password_file.empty()) {
        if (given->contains("password")) {
            return fail(base_errc::invalid_argument,
                        "store.url has a password and store.password_file is given: take one out");
        }
        auto password = first_line(password_file);
        if (!password) return fail(std::move(password.error()));
        (*given)["password"] = std::move(*password);
    }
    // A dead peer is noticed by the kernel after 15 s, a dead server by our own watch.
    const std::pair<const char*, std::string> defaults[] = {
        {"connect_timeout", fmt::format("{}", connect_timeout.count())},
        {"application_name", "flexcore"},
        {"target_session_attrs", "read-write"},
        {"keepalives_idle", "5"},
        {"keepalives_interval", "5"},
        {"keepalives_count", "2"},
        {"tcp_user_timeout", "15000"},
    };
    for (const auto& [name, value] : defaults) given->try_emplace(name, value);
    (*given)["client_encoding"] = "UTF8";

    conninfo made;
    for (const auto& [name, value] : *given) {
        made.text += fmt::format("{}{}={}", made.text.empty() ? "" : " ", name, as_value(value));
    }
    made.place = fmt::format("postgresql://{}{}/{}", or_else(*given, "host", "localhost"),
                             given->contains("port") ? ":" + given->at("port") : "",
                             or_else(*given, "dbname", ""));
    return made;
}

}  // namespace flexcore::store::postgres

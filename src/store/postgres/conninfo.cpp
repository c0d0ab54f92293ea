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

/// The elements of a list of hosts or ports; of an empty one, one that is empty.
std::vector<std::string> elements_of(const std::string& list) {
    std::vector<std::string> all;
    for (std::size_t from = 0;;) {
        const auto comma = list.find(',', from);
        all.push_back(list.substr(from, comma - from));
        if (comma == std::string::npos) return all;
        from = comma + 1;
    }
}

std::string to_text(const options& given) {
    std::string text;
    for (const auto& [name, value] : given) {
        if (value.empty()) continue;
        text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, as_value(value));
    }
    return text;
}

/// One set of options per host. A single port is for all of them, as libpq has it.
result<std::vector<std::string>> one_per_host(const options& given) {
    const auto names = elements_of(or_else(given, "host", ""));
    const auto addresses = elements_of(or_else(given, "hostaddr", ""));
    const auto ports = elements_of(or_else(given, "port", ""));
    const std::size_t count = std::max(names.size(), addresses.size());
    std::vector<std::string> all;
    const auto of = [&](const std::vector<std::string>& list, std::size_t i) {
        return list.size() == 1 ? list.front() : list.at(i);
    };
    for (const auto* list : {&names, &addresses, &ports}) {
        if (list->size() != 1 && list->size() != count) {
            return fail(base_errc::invalid_argument,
                        "store.url names another number of ports or addresses than of hosts");
        }
    }
    // A password with one of these takes the URL apart at another place than was meant, and its
    // pieces would be shown as what they were taken for.
    const auto odd = [](const std::string& text, const char* characters) {
        return text.find_first_of(characters) != std::string::npos;
    };
    const bool digits = std::all_of(ports.begin(), ports.end(), [](const std::string& port) {
        return port.find_first_not_of("0123456789") == std::string::npos;
    });
    const bool plain = std::none_of(names.begin(), names.end(), [&](const std::string& name) {
        return name.starts_with('/') ? odd(name, "@:") : odd(name, "@/?#");
    });
    if (!digits || !plain || odd(or_else(given, "dbname", ""), "@/:")) {
        return fail(base_errc::invalid_argument,
                    "store.url is no PostgreSQL URL: host, port or database hold characters that "
                    "they cannot have. In user and password write %40 for @, %2F for /, %3A for :, "
                    "%23 for #, %3F for ?");
    }
    for (std::size_t i = 0; i < count; ++i) {
        options one = given;
        one["host"] = of(names, i);
        one["hostaddr"] = of(addresses, i);
        one["port"] = of(ports, i);
        all.push_back(to_text(one));
    }
    return all;
}

}  // namespace

result<conninfo> read_conninfo(std::string_view url, const std::string& password_file,
                               std::chrono::seconds connect_timeout, const char* application) {
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
        {"application_name", application},
        {"target_session_attrs", "read-write"},
        {"keepalives_idle", "5"},
        {"keepalives_interval", "5"},
        {"keepalives_count", "2"},
        {"tcp_user_timeout", "15000"},
    };
    for (const auto& [name, value] : defaults) given->try_emplace(name, value);
    (*given)["client_encoding"] = "UTF8";

    auto hosts = one_per_host(*given);
    if (!hosts) return fail(std::move(hosts.error()));
    conninfo made;
    made.hosts = std::move(*hosts);
    made.sslmode = or_else(*given, "sslmode", "prefer");
    made.place = fmt::format("postgresql://{}{}/{}", or_else(*given, "host", "localhost"),
                             given->contains("port") ? ":" + given->at("port") : "",
                             or_else(*given, "dbname", ""));
    return made;
}

result<shown_conninfo> without_secrets(const std::string& host) {
    auto given = parse(host);
    if (!given) return fail(std::move(given.error()));
    if (given->contains("sslpassword")) {
        return fail(base_errc::invalid_argument,
                    "store.url has an sslpassword, which a program could only be given where "
                    "everybody can read it: use a key without one, or run pg_dump yourself");
    }
    shown_conninfo made;
    made.password = or_else(*given, "password", "");
    given->erase("password");
    made.text = to_text(*given);
    return made;
}

}  // namespace flexcore::store::postgres

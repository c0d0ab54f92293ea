#include "base/json.hpp"
#include "cli/subcommands_impl.hpp"
#include "cli/terminal.hpp"

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <ostream>

namespace flexcore::cli {
namespace {

constexpr const char* default_url = "http://127.0.0.1:8080";

std::string variable_or(const context& c, const char* name, const char* otherwise) {
    const auto at = c.environment.find(name);
    return at == c.environment.end() || at->second.empty() ? otherwise : at->second;
}

std::string member(const boost::json::object& problem, std::string_view name) {
    const auto* value = problem.if_contains(name);
    return value == nullptr ? std::string{} : printable(plain(*value));
}

/// Whether the server itself is at fault, a plugin of it included: its log says more than it told.
bool is_servers_fault(const boost::json::object& problem) {
    const auto* code = problem.if_contains("code");
    return code != nullptr && (plain(*code) == "internal" || plain(*code) == "plugin_failed");
}

/// One line per entry of an "errors" or "failures" list.
void append_entries(std::string& out, const boost::json::value& list) {
    const auto* entries = list.if_array();
    if (entries == nullptr) return;
    for (const auto& entry : *entries) {
        const auto* object = entry.if_object();
        if (object == nullptr) continue;
        if (const auto* pointer = object->if_contains("pointer"))
            out += fmt::format("\n  {}: {}", printable(plain(*pointer)), member(*object, "detail"));
        else
            out += fmt::format("\n  {}", printable(boost::json::serialize(entry)));
    }
}

}  // namespace

void add_client_options(subcommand app, client_options& options, const context& c) {
    options.url = variable_or(c, "FLEXCORE_URL", default_url);
    options.tenant = variable_or(c, "FLEXCORE_TENANT", "");
    app.add_option("--url", options.url,
                   "Where the server is (default: FLEXCORE_URL, or http://127.0.0.1:8080)")
        .type_name("URL");
    app.add_option("--tenant", options.tenant, "Tenant to act in (default: FLEXCORE_TENANT)")
        .type_name("NAME");
    app.add_option("--timeout", options.timeout_s, "Seconds without any answer before giving up")
        .between(0.1, 86'400)
        .type_name("SECONDS");
    app.add_flag("--json", options.json, "Print JSON for programs instead of text for people");
}

result<http_client> client_for(const client_options& options) {
    auto where = parse_url(options.url);
    if (!where) return fail(where.error());
    if (auto sound = check_header("--tenant", options.tenant); !sound) return fail(sound.error());
    http_client::timeouts bounds;
    bounds.silence = std::chrono::milliseconds{static_cast<long>(options.timeout_s * 1'000)};
    bounds.connect = std::min(bounds.connect, bounds.silence);
    return result<http_client>{std::in_place, std::move(*where), bounds};
}

std::vector<std::pair<std::string, std::string>> headers_for(const client_options& options) {
    std::vector<std::pair<std::string, std::string>> headers{{"Accept", "application/json"}};
    if (!options.tenant.empty()) headers.emplace_back("X-Tenant-Id", options.tenant);
    return headers;
}

result<http_answer> ask(http_client& client, const client_options& options, http_request request) {
    auto headers = headers_for(options);
    request.headers.insert(request.headers.begin(), headers.begin(), headers.end());
    auto answer = client.ask(request);
    if (!answer) return fail(answer.error());
    if (answer->status < 200 || answer->status > 299)
        return fail(refusal_of(answer->status, answer->body));
    return answer;
}

error refusal_of(int status, std::string_view body) {
    const auto parsed = json::to_value(body);
    const boost::json::object* problem = parsed ? parsed->if_object() : nullptr;
    if (problem == nullptr)
        return {make_error_code(cli_errc::refused),
                fmt::format("the server answered with status {}", status)};
    std::string out =
        fmt::format("{} ({} {})", member(*problem, "title"), status, member(*problem, "code"));
    // The detail of a failed validation is its first error, which is listed with all the others.
    const auto* errors = problem->if_contains("errors");
    const bool listed = errors != nullptr && errors->is_array() && !errors->get_array().empty();
    if (const std::string detail = member(*problem, "detail"); !detail.empty() && !listed)
        out += fmt::format("\n  {}", detail);
    for (const auto& [name, value] : *problem) {
        if (name == "errors" || name == "failures")
            append_entries(out, value);
        else if (name != "type" && name != "title" && name != "status" && name != "detail" &&
                 name != "instance" && name != "code")
            out += fmt::format("\n  {}: {}", printable(name), printable(plain(value)));
    }
    if (is_servers_fault(*problem)) out += fmt::format("\n  {}", why_in_the_log);
    error refused{make_error_code(cli_errc::refused), std::move(out)};
    refused.members = std::make_shared<const boost::json::object>(*problem);
    return refused;
}

int report(const context& c, const error& e) {
    const bool usage = e.code == base_errc::invalid_argument || e.code == cli_errc::bad_input;
    const bool failed = e.members && is_servers_fault(*e.members);
    const char* what = failed ? "failed" : e.code == cli_errc::refused ? "refused" : "error";
    c.io.err << fmt::format("{}: {}\n", what, e.client);
    return usage ? exit_usage : exit_refused;
}

int report(const context& c, const client_options& options, const error& e) {
    const int code = report(c, e);
    if (!options.json || code == exit_usage) return code;
    c.io.out << boost::json::serialize(e.members ? *e.members
                                                 : boost::json::object{{"code", name_of(e.code)},
                                                                       {"detail", e.client}})
             << '\n';
    return code;
}

result<std::ifstream> open_input(std::string_view option, const std::string& file) {
    std::error_code ec;
    const bool folder = std::filesystem::is_directory(file, ec);
    std::ifstream in{file, std::ios::binary};
    if (!in || folder)
        return fail(
            cli_errc::bad_input,
            fmt::format("{}: cannot read the file \"{}\": {}", option, file,
                        folder ? "it is a folder" : std::generic_category().message(errno)));
    return in;
}

result<void> check_header(std::string_view option, const std::string& value) {
    if (std::ranges::all_of(value, [](char c) { return c >= ' ' && c != 0x7f; })) return {};
    return fail(base_errc::invalid_argument,
                fmt::format("{} holds characters that no header takes", option));
}

result<std::string> json_argument(const context& c, std::string_view option,
                                  const std::string& text) {
    std::string json;
    if (text == "-") {
        json.assign(std::istreambuf_iterator<char>{c.io.in}, {});
    } else if (text.starts_with('@')) {
        auto file = open_input(option, text.substr(1));
        if (!file) return fail(file.error());
        json.assign(std::istreambuf_iterator<char>{*file}, {});
    } else {
        json = text;
    }
    if (const auto valid = json::validate(json); !valid)
        return fail(cli_errc::bad_input,
                    fmt::format("{} is not JSON: {}", option, valid.error().client));
    return json;
}

result<std::string> expected_version_json(const std::string& text) {
    if (text == "any" || text == "none" || text == "exists") return fmt::format("\"{}\"", text);
    const bool digits = !text.empty() && text.size() <= 18 &&
                        text.find_first_not_of("0123456789") == std::string::npos &&
                        (text.size() == 1 || text[0] != '0');
    if (digits) return text;
    return fail(
        base_errc::invalid_argument,
        fmt::format("--expected-version must be any, none, exists or a version, not \"{}\"", text));
}

std::string plain(const boost::json::value& value) {
    if (const auto* text = value.if_string()) return {text->data(), text->size()};
    return boost::json::serialize(value);
}

std::string query_string(const std::vector<std::pair<std::string, std::string>>& parameters) {
    std::string out;
    for (const auto& [name, value] : parameters) {
        if (value.empty()) continue;
        out += fmt::format("{}{}={}", out.empty() ? '?' : '&', percent_encoded(name),
                           percent_encoded(value));
    }
    return out;
}

}  // namespace flexcore::cli

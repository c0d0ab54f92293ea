// Private to src/cli: what the sub-commands share.
#pragma once

#include "base/result.hpp"
#include "cli/cli.hpp"
#include "cli/command_line_impl.hpp"
#include "cli/http_client.hpp"

#include <boost/json/value.hpp>

#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flexcore::cli {

inline constexpr int exit_done = 0;
inline constexpr int exit_refused = 1;
inline constexpr int exit_usage = 2;
inline constexpr int exit_by_signal = 128;  // plus its number, as shells say it

/// What one run works with. The sub-command that was chosen leaves its action here.
struct context {
    streams io;
    std::map<std::string, std::string> environment;
    std::function<int()> action;
};

void add_serve(subcommand, context&);
void add_config(subcommand, context&);
void add_command(subcommand, context&);
void add_query(subcommand, context&);
void add_events(subcommand, context&);
void add_status(subcommand, context&);  ///< health and version
void add_streams(subcommand, context&);
void add_projections(subcommand, context&);
void add_plugins(subcommand, context&);
void add_read_model(subcommand, context&);
void add_catalogues(subcommand, context&);  ///< commands and queries
void add_backup(subcommand, context&);
void add_bench(subcommand, context&);
void add_doctor(subcommand, context&);
void add_completion(subcommand, context&);
void add_verify(subcommand, context&);

/// --url, --tenant, --json, --timeout: of every sub-command that asks a server.
struct client_options {
    std::string url;
    std::string tenant;
    bool json = false;
    double timeout_s = 60;
};
void add_client_options(subcommand, client_options&, const context&);

/// The client of these options. Errors: base_errc::invalid_argument (URL, tenant).
[[nodiscard]] result<http_client> client_for(const client_options&);
/// The headers they ask for.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> headers_for(const client_options&);

/// Asks, and turns every answer that is no 2xx into cli_errc::refused carrying its problem text.
[[nodiscard]] result<http_answer> ask(http_client&, const client_options&, http_request);
/// cli_errc::refused with a problem document: as text its title, status, code, detail, pointers
/// and the rest, and where to look further when the server itself is at fault; whole in `members`.
[[nodiscard]] error refusal_of(int status, std::string_view body);
/// Said of a failure of the server's own or of a plugin's.
inline constexpr const char* why_in_the_log =
    "the server's log (standard error, or log.file) says why, in the lines with this request_id";

/// Prints "error: …", "refused: …" or, when the server is at fault, "failed: …", and gives the exit
/// code: 2 for a wrong argument, else 1.
[[nodiscard]] int report(const context&, const error&);
/// The same; with --json also the problem document on standard output, or {"code","detail"} when
/// there was no answer. Wrong arguments are said in text only.
[[nodiscard]] int report(const context&, const client_options&, const error&);

/// Opens a file that a person named. Errors: cli_errc::bad_input.
[[nodiscard]] result<std::ifstream> open_input(std::string_view option, const std::string& file);

/// A value for a header. Errors: base_errc::invalid_argument (control characters).
[[nodiscard]] result<void> check_header(std::string_view option, const std::string& value);

/// "{…}", "@FILE" or "-" (standard input) as validated JSON text. Errors: cli_errc::bad_input.
[[nodiscard]] result<std::string> json_argument(const context&, std::string_view option,
                                                const std::string& text);
/// "any", "none", "exists" or a version, as JSON. Errors: base_errc::invalid_argument.
[[nodiscard]] result<std::string> expected_version_json(const std::string& text);

/// A cell or line for a JSON value: strings plain, everything else as JSON.
[[nodiscard]] std::string plain(const boost::json::value&);

/// "?a=b&c=d" of the pairs that have a value; empty when none has.
[[nodiscard]] std::string query_string(
    const std::vector<std::pair<std::string, std::string>>& parameters);

}  // namespace flexcore::cli

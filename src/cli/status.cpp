// flexcore health, flexcore version
#include "app/application.hpp"
#include "base/json.hpp"
#include "cli/listing_impl.hpp"
#include "cli/terminal.hpp"

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include <memory>
#include <ostream>
#include <sstream>

namespace flexcore::cli {
namespace {

struct health_answer {
    boost::json::object document;
    std::string status, version;
};

/// /healthz, whose 503 is an answer too.
result<health_answer> health_of(http_client& client, const client_options& options) {
    http_request request;
    request.target = "/healthz";
    request.headers = headers_for(options);
    auto answer = client.ask(request);
    if (!answer) return fail(answer.error());
    const auto parsed = json::to_value(answer->body);
    const auto* object = parsed ? parsed->if_object() : nullptr;
    if (object == nullptr || !object->contains("status") || !object->contains("version"))
        return fail(cli_errc::bad_answer,
                    fmt::format("http://{} answered {}, which is no health report: is it FlexCore?",
                                client.where().authority(), answer->status));
    return health_answer{*object, plain(object->at("status")), plain(object->at("version"))};
}

std::string health_text(const health_answer& answer) {
    std::string out =
        fmt::format("{} (FlexCore {})\n", printable(answer.status), printable(answer.version));
    const auto* checks = answer.document.if_contains("checks");
    if (checks == nullptr || !checks->is_object() || checks->get_object().empty()) return out;
    table t{{"check", "state"}};
    for (const auto& [name, state] : checks->get_object()) t.add({std::string{name}, plain(state)});
    std::ostringstream rows;
    t.print(rows, terminal_columns(1));
    return out + rows.str();
}

int health(const context& c, const client_options& options, const watch_options& watch) {
    std::string status;
    const int code = show(c, options, watch, [&](http_client& client) -> result<std::string> {
        const auto answer = health_of(client, options);
        if (!answer) return fail(answer.error());
        status = answer->status;
        return options.json ? boost::json::serialize(answer->document) + "\n"
                            : health_text(*answer);
    });
    return code == exit_done && !watch.on && status == "unhealthy" ? exit_refused : code;
}

int version(const context& c, const client_options& options, bool server) {
    boost::json::object versions{{"program", app::version()}};
    if (server) {
        auto client = client_for(options);
        if (!client) return report(c, client.error());
        const auto answer = health_of(*client, options);
        if (!answer) return report(c, options, answer.error());
        versions["server"] = answer->version;
    }
    if (options.json) {
        c.io.out << boost::json::serialize(versions) << '\n';
        return exit_done;
    }
    c.io.out << fmt::format("flexcore {}\n", app::version());
    if (server) c.io.out << fmt::format("server   {}\n", printable(plain(versions.at("server"))));
    return exit_done;
}

}  // namespace

void add_status(subcommand app, context& c) {
    const subcommand health_app = app.add_subcommand("health", "How the server and its parts are");
    auto options = std::make_shared<client_options>();
    auto watch = std::make_shared<watch_options>();
    add_watch_options(health_app, *watch);
    add_client_options(health_app, *options, c);
    health_app.footer(
        "Exit code: 0 healthy or degraded, 1 unhealthy or not reachable.\n"
        "Examples:\n"
        "  flexcore health\n"
        "  flexcore health --watch\n"
        "  flexcore health --url http://127.0.0.1:9000 --json");
    health_app.callback([options, watch, &c] {
        c.action = [options, watch, &c] { return health(c, *options, *watch); };
    });

    const subcommand version_app =
        app.add_subcommand("version", "Version of this program, and of a server");
    auto asked = std::make_shared<client_options>();
    auto server = std::make_shared<bool>(false);
    version_app.add_flag("--server", *server, "Ask the server for its version too");
    add_client_options(version_app, *asked, c);
    version_app.footer("Examples:\n  flexcore version\n  flexcore version --server --json");
    version_app.callback([asked, server, &c] {
        c.action = [asked, server, &c] { return version(c, *asked, *server); };
    });
}

}  // namespace flexcore::cli

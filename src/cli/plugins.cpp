// flexcore plugins: list, show, load, unload, execute, health
#include "base/json.hpp"
#include "cli/listing_impl.hpp"
#include "cli/terminal.hpp"
#include "cli/verbs_impl.hpp"

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include <filesystem>
#include <iterator>
#include <memory>
#include <ostream>

namespace flexcore::cli {
namespace {

struct options {
    client_options client;
    list_options list;
    watch_options watch;
    std::string name, config, data, output, content_type = "application/octet-stream";
};

int list(const context& c, const options& o) {
    static const std::vector<column> columns{
        member_column("plugin", "name"),    member_column("version", "version"),
        member_column("state", "state"),    member_column("health", "health"),
        member_column("calls", "calls"),    member_column("failures", "failures"),
        member_column("open", "in_flight"), member_column("file", "path")};
    return show(c, o.client, o.watch, [&](http_client& client) -> result<std::string> {
        const auto got = fetch_list(client, o.client, "/v1/plugins", {}, o.list);
        if (!got) return fail(got.error());
        if (o.client.json) return lines_of(got->items);
        if (got->items.empty())
            return std::string{"no plugins; one is loaded with: flexcore plugins load FILE.so\n"};
        return table_of(got->items, columns);
    });
}

int show_one(const context& c, const options& o) {
    return show(c, o.client, o.watch, [&](http_client& client) -> result<std::string> {
        http_request request;
        request.target = path_of("plugins", o.name);
        const auto got = fetch(client, o.client, std::move(request));
        if (!got) return fail(got.error());
        return o.client.json ? got->text + "\n" : fields_of(got->members);
    });
}

std::string joined(const boost::json::object& from, const char* name) {
    const auto* list = from.if_contains(name);
    std::string out;
    if (list == nullptr || !list->is_array()) return out;
    for (const auto& each : list->get_array())
        out += (out.empty() ? "" : ", ") + printable(plain(each));
    return out;
}

int load(const context& c, const options& o) {
    // The server looks from its own folder; a file that is here is meant as seen from here.
    std::error_code ec;
    const bool here = std::filesystem::exists(o.name, ec);
    const auto path = here ? std::filesystem::absolute(o.name, ec).string() : o.name;
    std::string body = "{\"path\":";
    json::append_string(body, path);
    if (!o.config.empty()) {
        auto config = json_argument(c, "--config", o.config);
        if (!config) return report(c, config.error());
        body += ",\"config\":" + *config;
    }
    http_request request;
    request.method = "POST";
    request.target = "/v1/plugins";
    request.body = body + "}";
    return act(c, o.client, std::move(request), [](const boost::json::object& plugin) {
        std::string out = fmt::format("loaded: {} {}\n", text_member(plugin, "name"),
                                      text_member(plugin, "version"));
        for (const auto& [title, member] : {std::pair{"commands", "commands"},
                                            {"queries", "queries"},
                                            {"projections", "projections"},
                                            {"read models", "read_models"}})
            if (const auto names = joined(plugin, member); !names.empty())
                out += fmt::format("  {:<12} {}\n", title, names);
        return out;
    });
}

int unload(const context& c, const options& o) {
    auto client = client_for(o.client);
    if (!client) return report(c, client.error());
    http_request request;
    request.method = "DELETE";
    request.target = path_of("plugins", o.name);
    const auto done = ask(*client, o.client, std::move(request));
    if (!done) return report(c, o.client, done.error());
    if (o.client.json)
        c.io.out << boost::json::serialize(boost::json::object{{"unloaded", o.name}}) << '\n';
    else
        c.io.out << fmt::format("unloaded: {}\n", printable(o.name));
    return exit_done;
}

result<std::string> input_of(const context& c, const std::string& text) {
    if (text == "-") return std::string{std::istreambuf_iterator<char>{c.io.in}, {}};
    if (!text.starts_with('@')) return text;
    auto file = open_input("--data", text.substr(1));
    if (!file) return fail(file.error());
    return std::string{std::istreambuf_iterator<char>{*file}, {}};
}

int execute(const context& c, const options& o) {
    auto input = input_of(c, o.data);
    if (!input) return report(c, input.error());
    if (auto sound = check_header("--content-type", o.content_type); !sound)
        return report(c, sound.error());
    auto client = client_for(o.client);
    if (!client) return report(c, client.error());
    http_request request;
    request.method = "POST";
    request.target = path_of("plugins", o.name, "/execute");
    request.body = std::move(*input);
    request.content_type = o.content_type;
    const auto answer = ask(*client, o.client, std::move(request));
    if (!answer) return report(c, o.client, answer.error());
    if (!o.output.empty()) {
        std::ofstream file{o.output, std::ios::binary};
        if (!(file << answer->body << std::flush))
            return report(c, {make_error_code(cli_errc::bad_input),
                              fmt::format("--output: cannot write the file \"{}\"", o.output)});
    }
    if (o.client.json) {
        boost::json::object out{{"plugin", o.name}, {"bytes", answer->body.size()}};
        std::string text;
        json::append_string(text, answer->body);
        if (const auto valid = json::to_value(text); valid && o.output.empty())
            out["text"] = *valid;
        c.io.out << boost::json::serialize(out) << '\n';
    } else if (o.output.empty()) {
        c.io.out << answer->body;  // bytes as they came, for a pipe
        if (terminal_columns(1) != 0 && !answer->body.ends_with('\n')) c.io.out << '\n';
    }
    return exit_done;
}

int health(const context& c, const options& o) {
    std::string status;
    const int code = show(c, o.client, o.watch, [&](http_client& client) -> result<std::string> {
        http_request request;
        request.target = path_of("plugins", o.name, "/health");
        request.headers = headers_for(o.client);
        // Unhealthy is 503 with a report: an answer too.
        auto answer = client.ask(request);
        if (!answer) return fail(answer.error());
        const auto parsed = json::to_value(answer->body);
        const auto* report = parsed ? parsed->if_object() : nullptr;
        if (report == nullptr || report->contains("code"))
            return fail(refusal_of(answer->status, answer->body));
        status = text_member(*report, "status");
        if (o.client.json) return answer->body + "\n";
        const std::string text = text_member(*report, "text");
        return fmt::format("{}{}{}\n", status, text.empty() ? "" : ": ", text);
    });
    return code == exit_done && !o.watch.on && status == "unhealthy" ? exit_refused : code;
}

}  // namespace

void add_plugins(subcommand app, context& c) {
    verbs<options> all{app, c, "plugins", "Load, unload, run and look after plugins",
                       "Examples:\n"
                       "  flexcore plugins list\n"
                       "  flexcore plugins load build/release/plugins/counter.so\n"
                       "  flexcore plugins health counter"};
    const auto named = [&](const char* verb, const char* does, verbs<options>::runner run) {
        return all.add_named(verb, does, run, "NAME", "The plugin, as in `flexcore plugins list`");
    };
    {
        const auto [one, o] = all.add("list", "The loaded plugins", list);
        o->list.all = true;
        add_watch_options(one, o->watch);
        add_client_options(one, o->client, c);
        one.footer(
            "With --json each plugin is one line (NDJSON).\n"
            "Examples:\n"
            "  flexcore plugins list\n"
            "  flexcore plugins list --watch");
    }
    {
        const auto [one, o] =
            named("show", "One plugin: what it brings, how it is doing", show_one);
        add_watch_options(one, o->watch);
        add_client_options(one, o->client, c);
        one.footer(
            "Examples:\n  flexcore plugins show orders\n  flexcore plugins show orders --json");
    }
    {
        const auto [one, o] = all.add("load", "Load a plugin into the running server", load);
        one.add_option("FILE", o->name, "The plugin's file, as `plugins/orders.so`")
            .required()
            .type_name("FILE");
        one.add_option("--config", o->config, "Its configuration: JSON, @FILE or -")
            .type_name("JSON");
        add_client_options(one, o->client, c);
        one.footer(
            "The file must lie below one of the server's plugins.dirs, and the server listen on\n"
            "loopback. A FILE that is not found here is looked for from the server's folder.\n"
            "Examples:\n"
            "  flexcore plugins load build/release/plugins/counter.so\n"
            "  flexcore plugins load mail.so --config '{\"from\": \"shop@example.org\"}'");
    }
    {
        const auto [one, o] = named("unload", "Let its open calls end, then take it out", unload);
        add_client_options(one, o->client, c);
        one.footer("Examples:\n  flexcore plugins unload counter");
    }
    {
        const auto [one, o] = named("execute", "Run its processor: bytes in, bytes out", execute);
        one.add_option("--data", o->data, "The bytes: text, @FILE or - (default: none)")
            .type_name("TEXT");
        one.add_option("--content-type", o->content_type, "What kind of bytes they are")
            .type_name("TYPE");
        one.add_option("--output", o->output, "Write the answer to this file").type_name("FILE");
        add_client_options(one, o->client, c);
        one.footer(
            "The answer goes to standard output as it is. With --json: its size, and its text "
            "when\n"
            "it is UTF-8.\n"
            "Examples:\n"
            "  flexcore plugins execute echo --data hello\n"
            "  flexcore plugins execute resize --data @in.png --output out.png\n"
            "  generate | flexcore plugins execute echo --data - > out");
    }
    {
        const auto [one, o] = named("health", "Ask a plugin how it is, now", health);
        add_watch_options(one, o->watch);
        add_client_options(one, o->client, c);
        one.footer(
            "Exit code: 0 healthy or degraded, 1 unhealthy or not there.\n"
            "Examples:\n"
            "  flexcore plugins health orders\n"
            "  flexcore plugins health orders --watch --json");
    }
}

}  // namespace flexcore::cli

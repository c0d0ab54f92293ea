// flexcore command send
#include "base/json.hpp"
#include "base/uuid.hpp"
#include "cli/bulk_report_impl.hpp"
#include "cli/subcommands_impl.hpp"
#include "cli/terminal.hpp"

#include <fmt/format.h>

#include <memory>
#include <ostream>

namespace flexcore::cli {
namespace {

struct options {
    client_options client;
    bulk_options bulk;
    std::string type, id, data = "{}", expected, command_id, metadata;
    bool make_ids = false;
};

result<std::string> body_of(const context& c, const options& o) {
    auto data = json_argument(c, "--data", o.data);
    if (!data) return data;
    std::string body = "{\"type\":";
    json::append_string(body, o.type);
    body += ",\"id\":";
    json::append_string(body, o.id);
    body += ",\"data\":" + *data;
    if (!o.expected.empty()) {
        auto expected = expected_version_json(o.expected);
        if (!expected) return expected;
        body += ",\"expected_version\":" + *expected;
    }
    if (!o.metadata.empty()) {
        auto metadata = json_argument(c, "--metadata", o.metadata);
        if (!metadata) return metadata;
        body += ",\"metadata\":" + *metadata;
    }
    if (!o.command_id.empty()) {
        body += ",\"command_id\":";
        json::append_string(body, o.command_id);
    }
    return body + "}";
}

void print(std::ostream& out, const boost::json::object& answer) {
    const auto text = [&](std::string_view name) {
        const auto* value = answer.if_contains(name);
        return value == nullptr ? std::string{} : printable(plain(*value));
    };
    out << fmt::format("accepted: {} is at version {}, position {}\n", text("stream"),
                       text("version"), text("position"));
    if (const std::string given = text("result"); !given.empty() && given != "null")
        out << fmt::format("result: {}\n", given);
    const auto* events = answer.if_contains("events");
    if (events == nullptr || !events->is_array() || events->get_array().empty()) return;
    table t{{"version", "position", "type", "id"}};
    for (const auto& event : events->get_array()) {
        std::vector<std::string> cells;
        for (const char* name : {"version", "position", "type", "id"}) {
            const auto* object = event.if_object();
            const auto* value = object == nullptr ? nullptr : object->if_contains(name);
            cells.push_back(value == nullptr ? "" : plain(*value));
        }
        t.add(std::move(cells));
    }
    t.print(out, terminal_columns(1));
}

int send_one(const context& c, const options& o) {
    auto client = client_for(o.client);
    if (!client) return report(c, client.error());
    auto body = body_of(c, o);
    if (!body) return report(c, body.error());
    http_request request;
    request.method = "POST";
    request.target = "/v1/commands";
    request.body = std::move(*body);
    auto answer = ask(*client, o.client, std::move(request));
    if (!answer) {
        error e = std::move(answer.error());
        if (e.code == cli_errc::broken || e.code == cli_errc::timeout)
            e.client += o.command_id.empty()
                            ? ". The command may have taken effect; with --command-id it could be "
                              "sent again safely"
                            : ". Send it again with the same --command-id: it takes effect once";
        return report(c, o.client, e);
    }
    if (o.client.json) {
        c.io.out << answer->body << '\n';
        return exit_done;
    }
    const auto parsed = json::to_value(answer->body);
    if (!parsed || !parsed->is_object())
        return report(c, o.client,
                      {make_error_code(cli_errc::bad_answer), "the answer is no JSON object"});
    print(c.io.out, parsed->get_object());
    return exit_done;
}

/// A line as it is sent: without data it gets {}, as without --data; with --make-ids a command_id
/// when it has none.
result<bulk_line> prepared(std::string_view text, bool make_ids) {
    const auto whole = json::parse(text);
    if (!whole) return fail(cli_errc::bad_input, whole.error().client);
    if (whole->type() != json::kind::object)
        return fail(cli_errc::bad_input, "a command is a JSON object");
    bulk_line line;
    line.text = whole->text;
    std::vector<json::member> members;
    json::members_of(*whole, members);
    bool has_data = false;
    for (const json::member& m : members) {
        if (m.named("data")) has_data = true;
        if (m.named("id")) line.key = m.value.text;
        if (m.named("command_id")) line.repeatable = true;
    }
    if (!has_data && !members.empty()) line.text.insert(1, "\"data\":{},");
    if (make_ids && !line.repeatable && !members.empty()) {
        line.text.insert(1, fmt::format("\"command_id\":\"{}\",", uuid_v7().to_string()));
        line.repeatable = true;
    }
    return line;
}

int send(const context& c, const options& o) {
    const bool one = !o.type.empty();
    if (one == !o.bulk.file.empty())
        return report(c, {make_error_code(base_errc::invalid_argument),
                          one ? "command send: either TYPE and ID, or --file, not both"
                              : "command send: TYPE and ID are needed, or --file for many"});
    if (one && o.id.empty())
        return report(c, {make_error_code(base_errc::invalid_argument),
                          "command send: the aggregate's ID is needed after the TYPE"});
    if (one) return send_one(c, o);
    return run_bulk(c, o.client, o.bulk, "/v1/commands/batch", "commands",
                    [ids = o.make_ids](std::string_view text) { return prepared(text, ids); });
}

}  // namespace

void add_command(subcommand app, context& c) {
    const subcommand command = app.add_subcommand("command", "Send commands");
    command.require_subcommand();
    command.footer(
        "Examples:\n"
        "  flexcore command send counter.increment c1 --data '{\"by\": 2}'\n"
        "  flexcore command send --file orders.ndjson --concurrency 8");
    const subcommand send_app =
        command.add_subcommand("send", "Send one command, or many from NDJSON");
    auto o = std::make_shared<options>();
    send_app.add_option("TYPE", o->type, "The command's type, as `sales.place_order`");
    send_app.add_option("ID", o->id, "The aggregate's id");
    option file = add_bulk_options(send_app, o->bulk);
    const auto of_one = [&](const char* name, std::string& into, const char* about) {
        send_app.add_option(name, into, about).excludes(file);
    };
    of_one("--data", o->data, "The command's data: JSON, @FILE or - (default {})");
    of_one("--expected-version", o->expected, "any, none, exists or a version");
    of_one("--command-id", o->command_id, "UUID that makes sending again safe");
    of_one("--metadata", o->metadata, "JSON object, @FILE or - for the events");
    send_app
        .add_flag("--make-ids", o->make_ids,
                  "With --file: give each line without command_id a fresh one")
        .needs(file);
    add_client_options(send_app, o->client, c);
    send_app.footer(
        "`flexcore commands` lists the commands there are, `flexcore commands NAME` their data.\n"
        "With --file each line is {\"type\",\"id\",\"data\",…} as in POST /v1/commands; data that "
        "is\n"
        "absent is {}, as without --data. Lines of one id keep their order. Busy answers are "
        "tried\n"
        "again. After a lost connection only lines with a command_id are sent again (the server\n"
        "then answers the first result); a line without one may have taken effect and counts as\n"
        "failed. --make-ids gives every line one.\n"
        "Ctrl-C stops reading, waits for the answers under way and says what was sent; a second\n"
        "one ends at once.\n"
        "Exit code: 0 all accepted; 1 something was refused (not with --allow-refused), failed, or "
        "was\n"
        "wrong as it stands (no JSON, invalid data); 2 wrong usage; 130 ended by Ctrl-C.\n"
        "Examples:\n"
        "  flexcore command send counter.increment c1 --data '{\"by\": 2}'\n"
        "  flexcore command send sales.ship_order 536365 --data @ship.json --expected-version 1\n"
        "  flexcore command send --file orders.ndjson --concurrency 8 --allow-refused\n"
        "  generate | flexcore command send --file - --make-ids --json");
    send_app.callback([o, &c] { c.action = [o, &c] { return send(c, *o); }; });
}

}  // namespace flexcore::cli

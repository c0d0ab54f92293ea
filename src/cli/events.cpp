// flexcore events: append
#include "cli/events_impl.hpp"

#include "base/json.hpp"
#include "cli/bulk_report_impl.hpp"
#include "cli/listing_impl.hpp"
#include "cli/terminal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <ostream>
#include <utility>

namespace flexcore::cli {
namespace {

struct options {
    client_options client;
    bulk_options bulk;
    std::string stream, type, data = "null", metadata, id, expected, key, atomic;
    std::vector<std::string> tags;
};

result<std::string> body_of(const context& c, const options& o) {
    auto data = json_argument(c, "--data", o.data);
    if (!data) return data;
    std::string body = "{";
    if (!o.expected.empty()) {
        auto expected = expected_version_json(o.expected);
        if (!expected) return expected;
        body += "\"expected_version\":" + *expected + ",";
    }
    body += "\"events\":[{\"type\":";
    json::append_string(body, o.type);
    body += ",\"data\":" + *data;
    if (!o.metadata.empty()) {
        auto metadata = json_argument(c, "--metadata", o.metadata);
        if (!metadata) return metadata;
        body += ",\"metadata\":" + *metadata;
    }
    if (!o.id.empty()) {
        body += ",\"id\":";
        json::append_string(body, o.id);
    }
    if (!o.tags.empty()) {
        body += ",\"tags\":[";
        for (const std::string& tag : o.tags) {
            if (!body.ends_with('[')) body += ',';
            json::append_string(body, tag);
        }
        body += "]";
    }
    return body + "}]}";
}

int send(const context& c, const options& o, std::string body) {
    auto client = client_for(o.client);
    if (!client) return report(c, client.error());
    if (auto sound = check_header("--idempotency-key", o.key); !sound)
        return report(c, sound.error());
    http_request request;
    request.method = "POST";
    request.target = "/v1/streams/" + percent_encoded(o.stream) + "/events";
    request.body = std::move(body);
    if (!o.key.empty()) request.headers.emplace_back("Idempotency-Key", o.key);
    const auto answer = ask(*client, o.client, std::move(request));
    if (!answer) return report(c, o.client, answer.error());
    const auto parsed = json::to_value(answer->body);
    const auto* object = parsed ? parsed->if_object() : nullptr;
    if (o.client.json) {
        c.io.out << answer->body << '\n';
    } else if (object != nullptr && object->contains("last_version") &&
               object->contains("position")) {
        c.io.out << fmt::format("appended: {} is at version {}, position {}\n", printable(o.stream),
                                plain(object->at("last_version")), plain(object->at("position")));
    } else {
        return report(c, o.client,
                      {make_error_code(cli_errc::bad_answer), "the answer is not understood"});
    }
    return exit_done;
}

/// The lines of the file as the events of one append.
result<std::string> body_of_lines(std::istream& in, const std::string& expected) {
    std::string body = "{\"expected_version\":" + expected + ",\"events\":[";
    bool first = true;
    std::string text;
    for (std::uint64_t number = 1; std::getline(in, text); ++number) {
        if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
        if (const auto valid = json::validate(text); !valid)
            return fail(cli_errc::bad_input,
                        fmt::format("--file: line {}: {}", number, valid.error().client));
        if (!std::exchange(first, false)) body += ',';
        body += text;
    }
    return body + "]}";
}

bool has_id(json::slice event) {
    if (event.type() != json::kind::object) return false;
    std::vector<json::member> members;
    json::members_of(event, members);
    return std::ranges::any_of(members, [](const json::member& m) { return m.named("id"); });
}

/// A line of the bulk API, {"stream","expected_version"?,"events"}; with a stream given, a line
/// is one event and is wrapped. `expected` (JSON or empty) is for lines that demand nothing.
result<bulk_line> prepared(std::string_view text, const std::string& stream,
                           const std::string& expected) {
    const auto whole = json::parse(text);
    if (!whole) return fail(cli_errc::bad_input, whole.error().client);
    if (whole->type() != json::kind::object)
        return fail(cli_errc::bad_input, "a line is a JSON object");
    bulk_line line;
    if (!stream.empty()) {
        line.text = "{\"stream\":";
        json::append_string(line.text, stream);
        line.text.append(",\"events\":[").append(whole->text).append("]}");
        line.key = stream;
        line.repeatable = has_id(*whole);
        return line;
    }
    line.text = whole->text;
    std::vector<json::member> members;
    std::vector<json::slice> events;
    json::members_of(*whole, members);
    bool demands = false;
    for (const json::member& m : members) {
        if (m.named("expected_version")) demands = true;
        if (m.named("stream")) line.key = m.value.text;
        if (m.named("events") && m.value.type() == json::kind::array)
            json::elements_of(m.value, events);
    }
    line.repeatable = !events.empty() && std::ranges::all_of(events, has_id);
    if (!demands && !members.empty() && !expected.empty())
        line.text.insert(1, "\"expected_version\":" + expected + ",");
    return line;
}

int append_many(const context& c, const options& o) {
    std::string expected;
    if (!o.expected.empty()) {
        auto json = expected_version_json(o.expected);
        if (!json) return report(c, json.error());
        expected = std::move(*json);
    }
    if (o.stream.empty() || expected.empty())
        return run_bulk(c, o.client, o.bulk, "/v1/append", "appends",
                        [&](std::string_view text) { return prepared(text, o.stream, expected); });
    // Line by line, a later event could be accepted although an earlier one was not.
    std::ifstream file;
    if (o.bulk.file != "-") {
        auto opened = open_input("--file", o.bulk.file);
        if (!opened) return report(c, opened.error());
        file = std::move(*opened);
    }
    auto body = body_of_lines(o.bulk.file == "-" ? c.io.in : file, expected);
    if (!body) return report(c, body.error());
    return send(c, o, std::move(*body));
}

/// A whole POST /v1/append: several streams, conditions, all or nothing.
int append_atomic(const context& c, const options& o) {
    auto body = json_argument(c, "--atomic", o.atomic == "-" ? o.atomic : "@" + o.atomic);
    if (!body) return report(c, body.error());
    if (auto sound = check_header("--idempotency-key", o.key); !sound)
        return report(c, sound.error());
    http_request request;
    request.method = "POST";
    request.target = "/v1/append";
    request.body = std::move(*body);
    if (!o.key.empty()) request.headers.emplace_back("Idempotency-Key", o.key);
    return act(c, o.client, std::move(request), [](const boost::json::object& answer) {
        std::string out = fmt::format("appended, position {}\n", text_member(answer, "position"));
        const auto* appends = answer.if_contains("appends");
        return appends == nullptr ? out : out + text_of(*appends);
    });
}

int append(const context& c, const options& o) {
    const auto wrong = [&](const char* text) {
        return report(c, {make_error_code(base_errc::invalid_argument), text});
    };
    if (!o.atomic.empty()) {
        if (!(o.stream.empty() && o.bulk.file.empty() && o.type.empty() && o.expected.empty()))
            return wrong("events append: with --atomic, the file says everything else");
        return append_atomic(c, o);
    }
    if (!o.bulk.file.empty()) return append_many(c, o);
    if (o.stream.empty()) return wrong("events append: a STREAM is needed, or --file for many");
    if (o.type.empty()) return wrong("events append: --type is needed");
    auto body = body_of(c, o);
    if (!body) return report(c, body.error());
    return send(c, o, std::move(*body));
}

void add_append(subcommand app, context& c) {
    const subcommand append_app =
        app.add_subcommand("append", "Append one event, or many from NDJSON");
    auto o = std::make_shared<options>();
    append_app.add_option("STREAM", o->stream, "The stream, as `notes-1`");
    option file = add_bulk_options(append_app, o->bulk);
    const auto of_one = [&](const char* name, auto& into, const char* about) {
        append_app.add_option(name, into, about).excludes(file);
    };
    of_one("--type", o->type, "The event's type");
    of_one("--data", o->data, "Its data: JSON, @FILE or - (default null)");
    of_one("--metadata", o->metadata, "JSON object, @FILE or -");
    append_app.add_repeatable("--tag", o->tags, "A tag; may be repeated").excludes(file);
    of_one("--id", o->id, "The event's UUID: makes appending again safe");
    of_one("--idempotency-key", o->key, "The same by a key");
    append_app
        .add_option("--expected-version", o->expected, "any (default), none, exists or a version")
        .type_name("VERSION");
    append_app
        .add_option("--atomic", o->atomic,
                    "One append to several streams, all or nothing: the JSON of POST /v1/append")
        .excludes(file)
        .type_name("FILE");
    add_client_options(append_app, o->client, c);
    append_app.footer(
        "With --file each line is {\"stream\",\"expected_version\"?,\"events\":[…]} as in POST "
        "/v1/append,\nor, when a STREAM is given, one event {\"type\",\"data\",…}. Lines of one "
        "stream keep their order.\nAfter a lost connection only lines whose events carry ids are "
        "sent again.\n"
        "With --file, --expected-version is for lines without their own; with a STREAM too, the\n"
        "whole file (at most 1000 events) is one append: all of it or nothing.\n"
        "Exit code: 0 all accepted; 1 something was refused (not with --allow-refused), failed, or "
        "was\n"
        "wrong as it stands (no JSON, invalid data); 2 wrong usage; 130 ended by Ctrl-C.\n"
        "Examples:\n"
        "  flexcore events append notes-1 --type note.added --data '{\"text\": \"hello\"}'\n"
        "  flexcore events append notes-1 --type note.added --data @note.json --expected-version "
        "3\n"
        "  flexcore events append notes-2 --file notes.ndjson --expected-version none\n"
        "  flexcore events append --file appends.ndjson --concurrency 8\n"
        "  flexcore events append --atomic transfer.json --idempotency-key transfer-17");
    append_app.callback([o, &c] { c.action = [o, &c] { return append(c, *o); }; });
}

void add_show(subcommand app, context& c) {
    struct show_options {
        client_options client;
        std::string id;
    };
    const subcommand show_app = app.add_subcommand("show", "One event by its id");
    auto o = std::make_shared<show_options>();
    show_app.add_option("ID", o->id, "The event's UUID").required().type_name("");
    add_client_options(show_app, o->client, c);
    show_app.footer(
        "Examples:\n"
        "  flexcore events show 0192a4b0-0000-7000-8000-000000000001\n"
        "  flexcore events show 0192a4b0-0000-7000-8000-000000000001 --json | jq .data");
    show_app.callback([o, &c] {
        c.action = [o, &c] {
            http_request request;
            request.target = path_of("events", o->id);
            return act(c, o->client, std::move(request), fields_of);
        };
    });
}

}  // namespace

void add_events(subcommand app, context& c) {
    const subcommand events = app.add_subcommand("events", "Append, read and follow events");
    events.require_subcommand();
    events.footer(
        "Examples:\n"
        "  flexcore events append notes-1 --type note.added --data '{\"text\": \"hello\"}'\n"
        "  flexcore events read --stream notes-1\n"
        "  flexcore events tail --from start");
    add_append(events, c);
    add_show(events, c);
    add_events_read(events, c);
    add_events_tail(events, c);
}

}  // namespace flexcore::cli

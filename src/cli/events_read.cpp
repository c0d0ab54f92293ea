// flexcore events read
#include "base/json.hpp"
#include "cli/events_impl.hpp"
#include "cli/listing_impl.hpp"
#include "cli/terminal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <ostream>

namespace flexcore::cli {
namespace {

constexpr std::uint64_t page_max = 1'000;

struct options {
    client_options client;
    event_filters filters;
    std::string stream, after, from;
    std::uint64_t limit = 100;
    bool all = false, backward = false;
};

void print(const context& c, const options& o, const std::string& event) {
    if (o.client.json) {
        c.io.out << event << '\n';
        return;
    }
    const auto parsed = json::to_value(event, 2 * json::depth_max_default);
    if (parsed && parsed->is_object())
        c.io.out << event_line(parsed->get_object(), terminal_columns(1)) << '\n';
}

int read(const context& c, const options& o) {
    if (!o.stream.empty() && o.filters.any())
        return report(c, {make_error_code(base_errc::invalid_argument),
                          "events read: --stream takes no filters; --stream-prefix does"});
    if (!(o.stream.empty() ? o.from : o.after).empty())
        return report(c, {make_error_code(base_errc::invalid_argument),
                          o.stream.empty()
                              ? "events read: --from is a version of a --stream; --after takes a "
                                "position of the log"
                              : "events read: with --stream, --from takes the version to begin at; "
                                "--after is a position of the log"});
    auto client = client_for(o.client);
    if (!client) return report(c, client.error());
    const std::string path =
        o.stream.empty() ? "/v1/events" : "/v1/streams/" + percent_encoded(o.stream) + "/events";
    std::uint64_t left = o.limit;
    std::string at = o.stream.empty() ? o.after : o.from;
    for (;;) {
        const std::uint64_t limit = o.all ? page_max : std::min(left, page_max);
        auto parameters = o.filters.parameters();
        parameters.emplace_back(o.stream.empty() ? "after" : "from", at);
        parameters.emplace_back("limit", std::to_string(limit));
        parameters.emplace_back("direction", o.backward ? "backward" : "");
        http_request request;
        request.target = path + query_string(parameters);
        const auto answer = ask(*client, o.client, std::move(request));
        if (!answer) return report(c, o.client, answer.error());
        const auto got = page_of(answer->body);
        if (!got) return report(c, o.client, got.error());
        for (const std::string& event : got->items) print(c, o, event);
        if (!c.io.out.flush()) return exit_refused;
        left -= std::min<std::uint64_t>(left, got->items.size());
        if (got->next.empty()) return exit_done;
        at = got->next;
        if (o.all || left != 0) continue;
        if (!o.client.json)
            c.io.err << fmt::format("more: {} {}, or --all\n",
                                    o.stream.empty() ? "--after" : "--from", printable(at));
        return exit_done;
    }
}

}  // namespace

bool event_filters::any() const {
    return !(types.empty() && categories.empty() && tags.empty() && stream_prefix.empty() &&
             since.empty());
}

std::vector<std::pair<std::string, std::string>> event_filters::parameters() const {
    return {{"types", types},
            {"categories", categories},
            {"tags", tags},
            {"stream_prefix", stream_prefix},
            {"since", since}};
}

void add_event_filters(subcommand app, event_filters& filters) {
    app.add_option("--types", filters.types, "Only these event types (comma-separated)");
    app.add_option("--categories", filters.categories, "Only streams of these categories");
    app.add_option("--tags", filters.tags, "Only events that carry all these tags");
    app.add_option("--stream-prefix", filters.stream_prefix, "Only streams that begin like this");
    app.add_option("--since", filters.since, "Only events recorded at or after this RFC 3339 time");
}

std::string event_line(const boost::json::object& event, std::size_t columns) {
    const auto text = [&](std::string_view name) {
        const auto* value = event.if_contains(name);
        return value == nullptr ? std::string{} : printable(plain(*value));
    };
    std::string line =
        fmt::format("{:>8}  {}  {}@{}  {}  {}", text("position"), text("recorded_at"),
                    text("stream"), text("version"), text("type"), text("data"));
    if (columns != 0 && line.size() > columns) {
        std::size_t end = columns - 1;
        while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xc0u) == 0x80u) --end;
        line.resize(end);
        line += "…";
    }
    return line;
}

void add_events_read(subcommand app, context& c) {
    const subcommand read_app =
        app.add_subcommand("read", "Read events of a stream, or of the whole log");
    auto o = std::make_shared<options>();
    read_app.add_option("--stream", o->stream, "Only this stream, in the order of its versions");
    read_app.add_option("--from", o->from, "With --stream: begin at this version");
    read_app.add_option("--after", o->after, "Without --stream: begin after this position");
    const option limit = read_app.add_option("--limit", o->limit, "At most so many (default 100)")
                             .range(1, 1'000'000'000);
    read_app.add_flag("--all", o->all, "Everything to the end").excludes(limit);
    read_app.add_flag("--backward", o->backward, "Latest first");
    add_event_filters(read_app, o->filters);
    add_client_options(read_app, o->client, c);
    read_app.footer(
        "With --json each event is one line (NDJSON).\n"
        "Examples:\n"
        "  flexcore events read --stream sales.order-536365\n"
        "  flexcore events read --types sales.order_cancelled --limit 20 --backward\n"
        "  flexcore events read --all --json > log.ndjson");
    read_app.callback([o, &c] { c.action = [o, &c] { return read(c, *o); }; });
}

}  // namespace flexcore::cli

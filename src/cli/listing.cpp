#include "cli/listing_impl.hpp"

#include "base/json.hpp"
#include "cli/interrupt_impl.hpp"
#include "cli/terminal.hpp"

#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <sstream>

namespace flexcore::cli {
namespace {

constexpr std::uint64_t page_max = 1'000;
constexpr std::size_t depth_max = 2 * json::depth_max_default;

std::string printed(const table& t) {
    std::ostringstream out;
    t.print(out, terminal_columns(STDOUT_FILENO));
    return std::move(out).str();
}

/// What of a text fits on a screen: the last line says that there is more.
std::string fitting(std::string_view text, std::size_t rows) {
    std::size_t at = 0;
    for (std::size_t line = 2; line < rows; ++line) {
        const std::size_t end = text.find('\n', at);
        if (end == std::string_view::npos) return std::string{text};
        at = end + 1;
    }
    const std::string_view rest = text.substr(at);
    if (rest.empty() || rest.find('\n') >= rest.size() - 1) return std::string{text};
    return std::string{text.substr(0, at)} + "…\n";
}

/// In place: each line is cleared to its end, and what is below the last one.
std::string redrawn(const std::string& whole, bool first) {
    const std::string text = fitting(whole, terminal_rows(STDOUT_FILENO));
    std::string out{first ? "\x1b[2J\x1b[H" : "\x1b[H"};
    for (const char c : text) out += c == '\n' ? std::string{"\x1b[K\n"} : std::string(1, c);
    return out += "\x1b[J";
}

}  // namespace

result<document> fetch(http_client& client, const client_options& options, http_request request) {
    auto answer = ask(client, options, std::move(request));
    if (!answer) return fail(answer.error());
    auto parsed = json::to_value(answer->body, depth_max);
    if (!parsed || !parsed->is_object())
        return fail(cli_errc::bad_answer, "the answer is no JSON object");
    return document{std::move(answer->body), std::move(parsed->get_object())};
}

result<page> page_of(std::string_view body) {
    const auto whole = json::parse(body, depth_max);
    if (!whole || whole->type() != json::kind::object)
        return fail(cli_errc::bad_answer, "the answer is no JSON object");
    page out;
    std::vector<json::member> members;
    std::vector<json::slice> items;
    json::members_of(*whole, members);
    for (const json::member& m : members) {
        if (m.named("items") && m.value.type() == json::kind::array) {
            json::elements_of(m.value, items);
            for (const json::slice& item : items) out.items.emplace_back(item.text);
        }
        if (m.named("next") && !m.value.is_null())
            out.next =
                m.value.type() == json::kind::string ? m.value.string() : std::string{m.value.text};
    }
    return out;
}

void add_list_options(subcommand app, list_options& options) {
    const option limit = app.add_option("--limit", options.limit, "At most so many (default 100)")
                             .range(1, 1'000'000'000)
                             .type_name("N");
    app.add_option("--after", options.after, "Go on after this one, as `more:` has said")
        .type_name("CURSOR");
    app.add_flag("--all", options.all, "Everything to the end").excludes(limit);
}

result<page> fetch_list(http_client& client, const client_options& options, const std::string& path,
                        const query_parameters& parameters, const list_options& wanted) {
    page all;
    all.next = wanted.after;
    for (;;) {
        const std::uint64_t left = wanted.limit - all.items.size();
        auto asked = parameters;
        asked.emplace_back("after", all.next);
        asked.emplace_back("limit",
                           std::to_string(wanted.all ? page_max : std::min(left, page_max)));
        http_request request;
        request.target = path + query_string(asked);
        const auto answer = ask(client, options, std::move(request));
        if (!answer) return fail(answer.error());
        auto got = page_of(answer->body);
        if (!got) return got;
        std::ranges::move(got->items, std::back_inserter(all.items));
        all.next = std::move(got->next);
        if (all.next.empty() || (!wanted.all && all.items.size() >= wanted.limit)) return all;
    }
}

std::string text_member(const boost::json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value == nullptr || value->is_null() ? std::string{} : printable(plain(*value));
}

column member_column(std::string title, std::string member) {
    return {std::move(title), [name = std::move(member)](const boost::json::object& item) {
                return text_member(item, name);
            }};
}

std::string table_of(const std::vector<std::string>& items, const std::vector<column>& columns) {
    std::vector<std::string> titles(columns.size());
    std::ranges::transform(columns, titles.begin(), &column::title);
    table t{std::move(titles)};
    for (const std::string& item : items) {
        const auto parsed = json::to_value(item, depth_max);
        if (!parsed || !parsed->is_object()) continue;
        std::vector<std::string> cells(columns.size());
        std::ranges::transform(columns, cells.begin(),
                               [&](const column& each) { return each.cell(parsed->get_object()); });
        t.add(std::move(cells));
    }
    return printed(t);
}

std::string table_of(const std::vector<boost::json::object>& items) {
    std::vector<std::string> titles;
    for (const auto& item : items)
        for (const auto& member : item)
            if (std::ranges::find(titles, member.key()) == titles.end())
                titles.emplace_back(member.key());
    table t{titles};
    for (const auto& item : items) {
        std::vector<std::string> cells;
        for (const std::string& name : titles) {
            const auto* value = item.if_contains(name);
            cells.push_back(value == nullptr ? "" : plain(*value));
        }
        t.add(std::move(cells));
    }
    return printed(t);
}

std::string fields_of(const boost::json::object& object) {
    table t{{"field", "value"}};
    for (const auto& [name, value] : object) t.add({std::string{name}, plain(value)});
    return printed(t);
}

std::string text_of(const boost::json::value& data) {
    const auto* object = data.if_object();
    if (object != nullptr && !object->empty()) return fields_of(*object);
    const auto* rows = data.if_array();
    const bool objects =
        rows != nullptr && !rows->empty() &&
        std::ranges::all_of(*rows, [](const auto& row) { return row.is_object(); });
    if (!objects) return printable(plain(data)) + '\n';
    std::vector<boost::json::object> items;
    for (const auto& row : *rows) items.push_back(row.get_object());
    return table_of(items);
}

std::string lines_of(const std::vector<std::string>& items) {
    std::string out;
    for (const std::string& item : items) out.append(item).push_back('\n');
    return out;
}

void add_watch_options(subcommand app, watch_options& options) {
    option watch = app.add_flag("--watch", options.on,
                                "Go on showing it as it changes, until Ctrl-C (exit code 0)");
    app.add_option("--every", options.every_s, "With --watch: seconds between looks (default 1)")
        .between(0.1, 3'600)
        .type_name("SECONDS")
        .needs(watch);
}

int show(const context& c, const client_options& options, const watch_options& watch,
         const std::function<result<std::string>(http_client&)>& render) {
    auto client = client_for(options);
    if (!client) return report(c, client.error());
    auto text = render(*client);
    if (!text) return report(c, options, text.error());
    if (!watch.on) {
        c.io.out << *text;
        return exit_done;
    }
    const interrupt signals;
    const bool in_place = !options.json && terminal_columns(STDOUT_FILENO) != 0;
    const std::chrono::milliseconds every{static_cast<long>(watch.every_s * 1'000)};
    std::string before;
    bool first = true, lost = false;
    for (;;) {
        const std::string now = text ? *text : fmt::format("{}\n", text.error().client);
        if (in_place) {
            c.io.out << redrawn(now, first);
        } else if (text && (first || now != before)) {
            c.io.out << now;
            before = now;
        } else if (!text && !lost) {
            (void)report(c, text.error());
        }
        lost = !text;
        first = false;
        if (!c.io.out.flush() || reader_gone(STDOUT_FILENO)) return exit_done;
        if (!interrupt::pause(every)) break;
        text = render(*client);
    }
    if (in_place) c.io.out << '\n';
    return exit_done;
}

int act(const context& c, const client_options& options, http_request request,
        const std::function<std::string(const boost::json::object&)>& text) {
    auto client = client_for(options);
    if (!client) return report(c, client.error());
    const auto answer = fetch(*client, options, std::move(request));
    if (!answer) return report(c, options, answer.error());
    c.io.out << (options.json ? answer->text + "\n" : text(answer->members));
    return exit_done;
}

std::string path_of(std::string_view collection, std::string_view name, std::string_view rest) {
    return fmt::format("/v1/{}/{}{}", collection, percent_encoded(name), rest);
}

}  // namespace flexcore::cli

// flexcore streams: list, show, settings, delete
#include "base/json.hpp"
#include "cli/listing_impl.hpp"
#include "cli/verbs_impl.hpp"

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include <array>
#include <charconv>
#include <memory>
#include <ostream>

namespace flexcore::cli {
namespace {

struct options {
    client_options client;
    list_options list;
    watch_options watch;
    std::string category, prefix, name, expected;
    bool permanent = false, yes = false;
    std::string max_age, max_count, truncate_before;
};

error wrong(std::string text) {
    return {make_error_code(base_errc::invalid_argument), std::move(text)};
}

int list(const context& c, const options& o) {
    static const std::vector<column> columns{
        member_column("stream", "stream"), member_column("version", "version"),
        member_column("category", "category"), member_column("last written", "updated_at")};
    return show(c, o.client, o.watch, [&](http_client& client) -> result<std::string> {
        const auto got = fetch_list(client, o.client, "/v1/streams",
                                    {{"category", o.category}, {"prefix", o.prefix}}, o.list);
        if (!got) return fail(got.error());
        if (o.client.json) return lines_of(got->items);
        if (got->items.empty()) return std::string{"no streams\n"};
        return table_of(got->items, columns) +
               (got->next.empty() ? "" : fmt::format("more: --after '{}', or --all\n", got->next));
    });
}

http_request about(const options& o) {
    http_request request;
    request.target = path_of("streams", o.name);
    return request;
}

int show_one(const context& c, const options& o) {
    return show(c, o.client, o.watch, [&](http_client& client) -> result<std::string> {
        const auto got = fetch(client, o.client, about(o));
        if (!got) return fail(got.error());
        return o.client.json ? got->text + "\n" : fields_of(got->members);
    });
}

struct unit {
    std::string_view name;
    std::int64_t seconds;
};

/// "90", "90s", "15min", "12h", "30d" as seconds.
std::optional<std::int64_t> seconds_of(std::string_view text) {
    static constexpr std::array units{unit{"", 1}, unit{"s", 1}, unit{"min", 60}, unit{"h", 3'600},
                                      unit{"d", 86'400}};
    std::int64_t count = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (ec != std::errc{} || count < 0 || count > 10'000'000'000) return std::nullopt;
    const std::string_view name = text.substr(static_cast<std::size_t>(end - text.data()));
    for (const unit& each : units)
        if (each.name == name) return count * each.seconds;
    return std::nullopt;
}

/// Takes a setting over into `into`: "none" takes it away.
result<void> change(boost::json::object& into, const char* member, const char* option,
                    const std::string& text, bool is_time) {
    if (text.empty()) return {};
    if (text == "none") {
        into.erase(member);
        return {};
    }
    const bool digits = text.find_first_not_of("0123456789") == std::string::npos;
    const auto value = is_time || digits ? seconds_of(text) : std::nullopt;
    if (!value)
        return fail(
            base_errc::invalid_argument,
            fmt::format("{} must be {} or none, not \"{}\"", option,
                        is_time ? "seconds, or a time as 15min, 12h, 30d" : "a number", text));
    into[member] = *value;
    return {};
}

int settings(const context& c, const options& o) {
    const bool changes = !(o.max_age.empty() && o.max_count.empty() && o.truncate_before.empty());
    auto client = client_for(o.client);
    if (!client) return report(c, client.error());
    // Wrong values are said before anything is asked.
    boost::json::object wanted;
    const auto apply = [&]() -> result<void> {
        if (auto ok = change(wanted, "max_age_s", "--max-age", o.max_age, true); !ok) return ok;
        if (auto ok = change(wanted, "max_count", "--max-count", o.max_count, false); !ok)
            return ok;
        return change(wanted, "truncate_before", "--truncate-before", o.truncate_before, false);
    };
    if (const auto sound = apply(); !sound) return report(c, sound.error());
    const auto now = fetch(*client, o.client, about(o));
    if (!now) return report(c, o.client, now.error());
    wanted.clear();
    const auto* present = now->members.if_contains("settings");
    if (present != nullptr && present->is_object())
        for (const auto& [name, value] : present->get_object())
            if (!value.is_null()) wanted[name] = value;
    if (changes) {
        (void)apply();
        http_request request;
        request.method = "PUT";
        request.target = path_of("streams", o.name, "/settings");
        request.body = boost::json::serialize(wanted);
        const auto done = ask(*client, o.client, std::move(request));
        if (!done) return report(c, o.client, done.error());
    }
    if (o.client.json)
        c.io.out << boost::json::serialize(wanted) << '\n';
    else if (wanted.empty())
        c.io.out << "nothing is set: every event is kept\n";
    else
        c.io.out << fields_of(wanted);
    return exit_done;
}

int remove(const context& c, const options& o) {
    if (o.permanent && !o.yes)
        return report(c, wrong("streams delete: --permanent cannot be undone, and nothing can be "
                               "written to the stream again; add --yes if that is meant"));
    std::string version;
    if (!o.expected.empty()) {
        auto json = expected_version_json(o.expected);
        if (!json) return report(c, json.error());
        version = o.expected;
    }
    auto client = client_for(o.client);
    if (!client) return report(c, client.error());
    http_request request;
    request.method = "DELETE";
    request.target =
        path_of("streams", o.name) +
        query_string({{"expected_version", version}, {"permanent", o.permanent ? "true" : ""}});
    const auto done = ask(*client, o.client, std::move(request));
    if (!done) return report(c, o.client, done.error());
    if (o.client.json)
        c.io.out << boost::json::serialize(
                        boost::json::object{{"deleted", o.name}, {"permanent", o.permanent}})
                 << '\n';
    else
        c.io.out << fmt::format("deleted: {}{}\n", o.name,
                                o.permanent ? ", for good" : "; it may be written again");
    return exit_done;
}

}  // namespace

void add_streams(subcommand app, context& c) {
    verbs<options> all{app, c, "streams", "List streams, keep or delete what is in them",
                       "Examples:\n"
                       "  flexcore streams list --prefix notes\n"
                       "  flexcore streams show notes-1"};
    const auto named = [&](const char* verb, const char* does, verbs<options>::runner run) {
        return all.add_named(verb, does, run, "STREAM", "The stream, as `sales.order-1001`");
    };
    {
        const auto [one, o] = all.add("list", "Streams by name", list);
        one.add_option("--category", o->category, "Only streams of this category")
            .type_name("NAME");
        one.add_option("--prefix", o->prefix, "Only streams whose name begins like this")
            .type_name("TEXT");
        add_list_options(one, o->list);
        add_watch_options(one, o->watch);
        add_client_options(one, o->client, c);
        one.footer(
            "With --json each stream is one line (NDJSON).\n"
            "Examples:\n"
            "  flexcore streams list --category sales.order\n"
            "  flexcore streams list --prefix sales.order-5363 --watch\n"
            "  flexcore streams list --all --json | jq -r .stream");
    }
    {
        const auto [one, o] = named("show", "One stream: version, times, settings", show_one);
        add_watch_options(one, o->watch);
        add_client_options(one, o->client, c);
        one.footer(
            "Its events: flexcore events read --stream STREAM\n"
            "Examples:\n"
            "  flexcore streams show sales.order-1001\n"
            "  flexcore streams show counter-c1 --watch");
    }
    {
        const auto [one, o] = named("settings", "How long its events are kept", settings);
        one.add_option("--max-age", o->max_age,
                       "Events older than this are gone: seconds, or 15min, 12h, 30d; none")
            .type_name("TIME");
        one.add_option("--max-count", o->max_count, "Only the latest so many are kept; none")
            .type_name("N");
        one.add_option("--truncate-before", o->truncate_before,
                       "Events before this version are gone; none")
            .type_name("VERSION");
        add_client_options(one, o->client, c);
        one.footer(
            "Without options it shows what is set. What is not named stays as it is; `none` takes\n"
            "a setting away. Settings hold at once for every read. They are read, changed and\n"
            "written back together: of two changes made at the same moment one may be lost.\n"
            "Read models keep what they made of events that go, until they are rebuilt.\n"
            "Examples:\n"
            "  flexcore streams settings sensor-7\n"
            "  flexcore streams settings sensor-7 --max-age 30d --max-count 100000\n"
            "  flexcore streams settings sensor-7 --max-age none");
    }
    {
        const auto [one, o] = named("delete", "Delete a stream's events", remove);
        one.add_option("--expected-version", o->expected,
                       "Only when it is there: any (default), exists or a version")
            .type_name("VERSION");
        one.add_flag("--permanent", o->permanent,
                     "For good: the stream can never be written again");
        one.add_flag("--yes", o->yes, "With --permanent: yes, that is meant");
        add_client_options(one, o->client, c);
        one.footer(
            "Without --permanent the stream may be written again, and its versions go on.\n"
            "Read models keep what they made of its events, until they are rebuilt.\n"
            "Examples:\n"
            "  flexcore streams delete notes-1\n"
            "  flexcore streams delete notes-1 --expected-version 3\n"
            "  flexcore streams delete notes-1 --permanent --yes");
    }
}

}  // namespace flexcore::cli

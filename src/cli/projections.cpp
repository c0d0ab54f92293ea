// flexcore projections: list, show, rebuild, pause, resume, skip
#include "cli/listing_impl.hpp"
#include "cli/terminal.hpp"
#include "cli/verbs_impl.hpp"

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include <atomic>
#include <memory>
#include <ostream>
#include <thread>

namespace flexcore::cli {
namespace {

constexpr std::chrono::milliseconds look_every{100};

struct options {
    client_options client;
    list_options list;
    watch_options watch;
    std::string name, position;
    bool wait = false, quiet = false;
};

std::string models_of(const boost::json::object& item) {
    std::string out;
    const auto* models = item.if_contains("read_models");
    if (models == nullptr || !models->is_array()) return out;
    for (const auto& model : models->get_array())
        out += (out.empty() ? "" : ", ") + printable(plain(model));
    return out;
}

int list(const context& c, const options& o) {
    static const std::vector<column> columns{
        member_column("projection", "name"),   member_column("state", "state"),
        member_column("position", "position"), member_column("behind", "lag_events"),
        member_column("lag ms", "lag_ms"),     {"read models", models_of},
        member_column("error", "error")};
    return show(c, o.client, o.watch, [&](http_client& client) -> result<std::string> {
        const auto got = fetch_list(client, o.client, "/v1/projections", {}, o.list);
        if (!got) return fail(got.error());
        if (o.client.json) return lines_of(got->items);
        if (got->items.empty()) return std::string{"no projections: no plugin brings one\n"};
        return table_of(got->items, columns);
    });
}

http_request about(const options& o) {
    http_request request;
    request.target = path_of("projections", o.name);
    return request;
}

int show_one(const context& c, const options& o) {
    return show(c, o.client, o.watch, [&](http_client& client) -> result<std::string> {
        const auto got = fetch(client, o.client, about(o));
        if (!got) return fail(got.error());
        return o.client.json ? got->text + "\n" : fields_of(got->members);
    });
}

std::uint64_t number(const boost::json::object& from, const char* name) {
    const auto* value = from.if_contains(name);
    return value != nullptr && value->is_number() ? value->to_number<std::uint64_t>() : 0;
}

std::string line_of(const boost::json::object& status) {
    std::string line = fmt::format("{} is {} at position {}", text_member(status, "name"),
                                   text_member(status, "state"), text_member(status, "position"));
    if (const auto why = text_member(status, "error"); !why.empty()) line += "\n  " + why;
    return line + "\n";
}

/// Looks again and again until the rebuild is over. The last status.
result<document> awaited(http_client& client, const options& o, document status) {
    std::atomic<std::uint64_t> done{0}, all{0};
    std::optional<progress> line;
    if (!o.quiet)
        line.emplace("events", [&] {
            const double share =
                all == 0 ? -1 : static_cast<double>(done) / static_cast<double>(all);
            return progress::state{done, share};
        });
    while (text_member(status.members, "state") == "rebuilding") {
        done = number(status.members, "rebuild_position");
        all = number(status.members, "position") + number(status.members, "lag_events");
        std::this_thread::sleep_for(look_every);
        auto next = fetch(client, o.client, about(o));
        if (!next) return next;
        status = std::move(*next);
    }
    done = number(status.members, "position");
    all = done.load();
    return status;
}

int rebuild(const context& c, const options& o) {
    auto client = client_for(o.client);
    if (!client) return report(c, client.error());
    http_request request;
    request.method = "POST";
    request.target = path_of("projections", o.name, "/rebuild");
    auto status = fetch(*client, o.client, std::move(request));
    if (status && o.wait) status = awaited(*client, o, std::move(*status));
    if (!status) return report(c, o.client, status.error());
    c.io.out << (o.client.json ? status->text + "\n" : line_of(status->members));
    return o.wait && text_member(status->members, "state") == "stopped" ? exit_refused : exit_done;
}

int post(const context& c, const options& o, const char* rest, std::string body = {}) {
    http_request request;
    request.method = "POST";
    request.target = path_of("projections", o.name, rest);
    request.body = std::move(body);
    return act(c, o.client, std::move(request), line_of);
}
int pause(const context& c, const options& o) { return post(c, o, "/pause"); }
int resume(const context& c, const options& o) { return post(c, o, "/resume"); }
int skip(const context& c, const options& o) {
    return post(c, o, "/skip",
                boost::json::serialize(boost::json::object{{"position", o.position}}));
}

}  // namespace

void add_projections(subcommand app, context& c) {
    verbs<options> all{app, c, "projections", "How far the read models are; rebuild, pause, resume",
                       "Examples:\n"
                       "  flexcore projections list --watch\n"
                       "  flexcore projections rebuild orders --wait"};
    const auto named = [&](const char* verb, const char* does, verbs<options>::runner run) {
        return all.add_named(verb, does, run, "NAME",
                             "The projection, as in `flexcore projections list`");
    };
    {
        const auto [one, o] = all.add("list", "All projections, how far each is", list);
        o->list.all = true;
        add_watch_options(one, o->watch);
        add_client_options(one, o->client, c);
        one.footer(
            "With --json each projection is one line (NDJSON).\n"
            "Examples:\n"
            "  flexcore projections list\n"
            "  flexcore projections list --watch");
    }
    {
        const auto [one, o] =
            named("show", "One projection, with its error if it stopped", show_one);
        add_watch_options(one, o->watch);
        add_client_options(one, o->client, c);
        one.footer(
            "Examples:\n"
            "  flexcore projections show orders\n"
            "  flexcore projections show orders --watch --every 0.2");
    }
    {
        const auto [one, o] = named("rebuild", "Build its read models anew from the log", rebuild);
        option wait = one.add_flag("--wait", o->wait, "Return when it is done, with progress");
        one.add_flag("--quiet", o->quiet, "No progress on standard error").needs(wait);
        add_client_options(one, o->client, c);
        one.footer(
            "The old rows are served until the new are complete, then all are switched at once.\n"
            "Ctrl-C ends the waiting, not the rebuild.\n"
            "Exit code: 0 under way, or done with --wait; 1 refused, or stopped at an event.\n"
            "Examples:\n"
            "  flexcore projections rebuild orders --wait\n"
            "  flexcore projections rebuild orders --json");
    }
    {
        const auto [one, o] = named("pause", "Apply no more events", pause);
        add_client_options(one, o->client, c);
        one.footer(
            "Its rows stay as they are and are still served.\n"
            "Examples:\n"
            "  flexcore projections pause orders");
    }
    {
        const auto [one, o] = named("resume", "Go on where it paused or stopped", resume);
        add_client_options(one, o->client, c);
        one.footer("Examples:\n  flexcore projections resume orders");
    }
    {
        const auto [one, o] = named("skip", "Pass over the event at which it stopped", skip);
        one.add_option("--position", o->position,
                       "Of that event: `poison_position` of `flexcore projections show`")
            .required()
            .type_name("POSITION");
        add_client_options(one, o->client, c);
        one.footer(
            "The event counts in none of its read models, until a rebuild meets it again.\n"
            "Examples:\n"
            "  flexcore projections skip orders --position 1042");
    }
}

}  // namespace flexcore::cli

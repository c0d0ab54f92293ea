// flexcore bench: how fast a running server is, seen from a client.
#include "app/settings.hpp"
#include "base/json.hpp"
#include "cli/interrupt_impl.hpp"
#include "cli/listing_impl.hpp"
#include "cli/load_run.hpp"
#include "cli/terminal.hpp"

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include <filesystem>
#include <memory>
#include <ostream>

namespace flexcore::cli {
namespace {

constexpr std::size_t prepared_counters = 100;
constexpr std::uint64_t streams = 1'000;
constexpr std::size_t propagation_appenders = 16;

struct options {
    client_options client;
    load_plan plan;
    bool allow_remote = false, quiet = false, hot = false;
    std::uint64_t keys = 10'000;
    std::uint64_t bytes = 100;
    std::uint64_t events = 1;
    std::size_t subscribers = 1;
    std::string type, data = "{}", query, plugin = "echo", id_prefix = "bench-";
    std::vector<std::string> parameters;
};

/// What is run, said to a person before it runs.
struct bench {
    const char* name;
    std::string what;    ///< "counter.increment on 10,000 counters"
    std::string writes;  ///< what it leaves behind, and where
    const char* unit;    ///< "commands"
    load_plan plan;
};

error wrong(std::string text) {
    return {make_error_code(base_errc::invalid_argument), std::move(text)};
}

/// The plugin's file beside this program, when it is there.
std::string shipped(const std::string& plugin) {
    std::error_code ec;
    const auto folder = std::filesystem::read_symlink("/proc/self/exe", ec).parent_path();
    const auto file = folder / "plugins" / (plugin + ".so");
    return std::filesystem::exists(file, ec) ? file.string() : plugin + ".so";
}

std::unexpected<error> not_loaded(const options& o, const std::string& plugin) {
    return fail(
        cli_errc::refused,
        fmt::format("the plugin {0} is not loaded, which this benchmark asks. Start the server "
                    "with it:\n"
                    "  flexcore serve --plugin {1}\n"
                    "or load it, when its folder is among the server's plugins.dirs:\n"
                    "  flexcore plugins load {1} --url {2}",
                    plugin, shipped(plugin), o.client.url));
}

/// Whether a list of the server names it.
result<bool> is_listed(http_client& client, const options& o, const char* path,
                       const std::string& name) {
    list_options everything;
    everything.all = true;
    const auto got = fetch_list(client, o.client, path, {}, everything);
    if (!got) return fail(got.error());
    for (const std::string& item : got->items) {
        const auto parsed = json::to_value(item, 2 * json::depth_max_default);
        if (parsed && parsed->is_object() && text_member(parsed->get_object(), "name") == name)
            return true;
    }
    return false;
}

std::string json_text(std::string_view text) {
    std::string out;
    json::append_string(out, text);
    return out;
}

using preparing = result<bench> (*)(http_client&, const context&, const options&);

result<bench> commands(http_client& client, const context& c, const options& o) {
    const std::string type = o.type.empty() ? "counter.increment" : o.type;
    const auto known = is_listed(client, o, "/v1/commands", type);
    if (!known) return fail(known.error());
    if (!*known && o.type.empty()) return not_loaded(o, "counter");
    if (!*known)
        return fail(cli_errc::refused, fmt::format("there is no command \"{}\"; `flexcore "
                                                   "commands` lists them",
                                                   printable(type)));
    auto data = json_argument(c, "--data", o.data);
    if (!data) return fail(data.error());
    bench b{"commands", {}, {}, "commands", o.plan};
    b.what = o.hot ? fmt::format("{} on one aggregate", type)
                   : fmt::format("{} on {} aggregates", type, grouped(o.keys));
    b.writes = o.hot ? fmt::format("the events of {} for the id {}hot", type, o.id_prefix)
                     : fmt::format("the events of {0} for the ids {1}0 to {1}{2}", type,
                                   o.id_prefix, o.keys - 1);
    b.plan.method = "POST";
    b.plan.target = "/v1/commands";
    b.plan.body = fmt::format(
        R"({{"type":{},"id":{},"data":{}}})", json_text(type),
        json_text(o.id_prefix + (o.hot ? "hot" : fmt::format("$(m{})", o.keys))), *data);
    return b;
}

/// Some counters to ask for; waits until they can be read.
result<void> prepare_counters(http_client& client, const options& o) {
    http_request request;
    request.method = "POST";
    request.target = "/v1/commands/batch";
    request.body = "{\"commands\":[";
    for (std::size_t i = 0; i < prepared_counters; ++i)
        request.body +=
            fmt::format(R"({}{{"type":"counter.increment","id":"bench-{}","data":{{}}}})",
                        i == 0 ? "" : ",", i);
    request.body += "]}";
    const auto sent = ask(client, o.client, std::move(request));
    if (!sent) return fail(sent.error());
    const auto answer = json::to_value(sent->body, 2 * json::depth_max_default);
    const auto* results =
        answer && answer->is_object() ? answer->get_object().if_contains("results") : nullptr;
    std::string position;
    if (results != nullptr && results->is_array() && !results->get_array().empty() &&
        results->get_array().back().is_object())
        position = text_member(results->get_array().back().get_object(), "position");
    http_request look;
    look.target = "/v1/queries/counter.value" +
                  query_string({{"id", fmt::format("bench-{}", prepared_counters - 1)},
                                {"min_position", position},
                                {"wait_ms", "30000"}});
    const auto seen = ask(client, o.client, std::move(look));
    if (!seen) return fail(seen.error());
    return {};
}

result<bench> queries(http_client& client, const context&, const options& o) {
    const std::string name = o.query.empty() ? "counter.value" : o.query;
    const auto known = is_listed(client, o, "/v1/queries", name);
    if (!known) return fail(known.error());
    if (!*known && o.query.empty()) return not_loaded(o, "counter");
    if (!*known)
        return fail(cli_errc::refused, fmt::format("there is no query \"{}\"; `flexcore queries` "
                                                   "lists them",
                                                   printable(name)));
    bench b{"queries", {}, {}, "queries", o.plan};
    b.plan.target = "/v1/queries/" + percent_encoded(name);
    if (o.query.empty()) {
        if (auto made = prepare_counters(client, o); !made) return fail(made.error());
        b.what = fmt::format("{} of {} counters", name, prepared_counters);
        b.writes = fmt::format(
            "one counter.incremented for each id bench-0 to bench-{}, before "
            "the load",
            prepared_counters - 1);
        b.plan.target += fmt::format("?id=bench-$(m{})", prepared_counters);
        return b;
    }
    b.what = name;
    b.writes = "nothing";
    char separator = '?';
    for (const std::string& parameter : o.parameters) {
        const std::size_t equals = parameter.find('=');
        if (equals == std::string::npos || equals == 0)
            return fail(wrong(fmt::format("--param must be NAME=VALUE, not \"{}\"", parameter)));
        b.plan.target += fmt::format("{}{}={}", std::exchange(separator, '&'),
                                     percent_encoded(parameter.substr(0, equals)),
                                     percent_encoded(parameter.substr(equals + 1)));
    }
    return b;
}

std::string event(const options& o, std::string_view time) {
    return fmt::format(R"({{"type":"bench.happened","data":{{{}"fill":"{}"}}}})", time,
                       std::string(o.bytes, 'x'));
}

std::string append_body(const options& o, std::string_view time) {
    std::string body = "{\"events\":[";
    for (std::uint64_t i = 0; i < o.events; ++i) body += (i == 0 ? "" : ",") + event(o, time);
    return body + "]}";
}

constexpr const char* append_writes =
    "events bench.happened into the streams bench-0 to bench-999 (category bench)";

result<bench> append(http_client&, const context&, const options& o) {
    bench b{"append", {}, append_writes, "appends", o.plan};
    b.what = fmt::format("{} event{} of {} bytes per append, to {} streams", o.events,
                         o.events == 1 ? "" : "s", grouped(o.bytes), grouped(streams));
    b.plan.method = "POST";
    b.plan.target = fmt::format("/v1/streams/bench-$(r{})/events", streams);
    b.plan.body = append_body(o, "");
    return b;
}

result<bench> propagation(http_client&, const context&, const options& o) {
    bench b{"propagation", {}, append_writes, "events", o.plan};
    b.what = fmt::format("append to Server-Sent Event, {}/s to {} subscriber{}",
                         grouped(static_cast<std::uint64_t>(o.plan.rate)), o.subscribers,
                         o.subscribers == 1 ? "" : "s");
    b.plan.method = "POST";
    b.plan.target = fmt::format("/v1/streams/bench-$(r{})/events", streams);
    b.plan.body = append_body(o, "\"t\":$(t),");
    return b;
}

result<bench> plugin(http_client& client, const context&, const options& o) {
    const auto known = is_listed(client, o, "/v1/plugins", o.plugin);
    if (!known) return fail(known.error());
    if (!*known) return not_loaded(o, o.plugin);
    bench b{"plugin", {}, "nothing; the plugin is executed", "calls", o.plan};
    b.what = fmt::format("{} executed with {} bytes", printable(o.plugin), grouped(o.bytes));
    b.plan.method = "POST";
    b.plan.target = path_of("plugins", o.plugin, "/execute");
    b.plan.content_type = "application/octet-stream";
    b.plan.body = std::string(o.bytes, 'x');
    return b;
}

double per_s(const load_tally& tally) {
    return tally.seconds > 0 ? static_cast<double>(tally.latency.count()) / tally.seconds : 0;
}

std::string as_json(const options& o, const bench& b, const load_tally& tally) {
    boost::json::object errors;
    for (const auto& [name, count] : tally.errors) errors[name] = count;
    const auto ms = [&](double part) { return tally.latency.part_us(part) / 1'000; };
    // By hand, for plain numbers: "0.549" instead of 5.4886300000000005E-1.
    return fmt::format(
        R"({{"bench":{},"what":{},"writes":{},"url":{},"connections":{},"threads":{},)"
        R"("seconds":{:.3f},"count":{},"per_s":{:.1f},"p50_ms":{:.3f},"p95_ms":{:.3f},)"
        R"("p99_ms":{:.3f},"max_ms":{:.3f},"errors":{},"errors_by_code":{}}})"
        "\n",
        json_text(b.name), json_text(b.what), json_text(b.writes), json_text(o.client.url),
        b.plan.connections, b.plan.threads, tally.seconds, tally.latency.count(), per_s(tally),
        ms(0.50), ms(0.95), ms(0.99), tally.latency.max_us() / 1'000, tally.error_count(),
        boost::json::serialize(errors));
}

std::string as_text(const bench& b, const load_tally& tally) {
    const auto line = [&](const char* name, double part) {
        return fmt::format("{:<8} {:>10.3f} ms\n", name, tally.latency.part_us(part) / 1'000);
    };
    std::string out =
        fmt::format("{:<8} {:>10} {}/s, {} in {:.1f} s over {} connections\n", "rate",
                    grouped(static_cast<std::uint64_t>(per_s(tally))), b.unit,
                    grouped(tally.latency.count()), tally.seconds, b.plan.connections);
    out += line("p50", 0.50) + line("p95", 0.95) + line("p99", 0.99) + line("slowest", 1.0);
    out += fmt::format("{:<8} {:>10}\n", "errors", grouped(tally.error_count()));
    for (const auto& [name, count] : tally.errors)
        out += fmt::format("  {:<24} {:>10}\n", printable(name), grouped(count));
    return out;
}

int run_bench(const context& c, const options& o, preparing prepare) {
    auto client = client_for(o.client);
    if (!client) return report(c, client.error());
    if (!app::is_loopback(client->where().host) && !o.allow_remote)
        return report(c, wrong(fmt::format("bench writes data and puts load on the server, and {} "
                                           "is not this machine; --allow-remote says that this is "
                                           "meant",
                                           client->where().host)));
    auto made = prepare(*client, c, o);
    if (!made) return report(c, o.client, made.error());
    bench& b = *made;
    b.plan.where = client->where();
    for (const auto& [name, value] : headers_for(o.client))
        if (name != "Accept") b.plan.headers += fmt::format("{}: {}\r\n", name, value);
    if (!o.client.json)
        c.io.out << fmt::format("{}: {}\nwrites   {}\n", b.name, b.what, b.writes) << std::flush;

    const interrupt signals;
    std::atomic<std::uint64_t> answered{0};
    std::optional<progress> line;
    if (!o.quiet)
        line.emplace(b.unit, [&, until = o.plan.seconds + o.plan.warmup_s,
                              begin = std::chrono::steady_clock::now()] {
            const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
            return progress::state{answered, std::min(1.0, took.count() / until)};
        });
    const load_watch on{[] { return interrupt::caught() == 0; }, &answered};
    const bool events = std::string_view{b.name} == "propagation";
    const auto tally =
        events ? run_propagation(b.plan, "/v1/events/stream?categories=bench", o.subscribers, on)
               : run_load(b.plan, on);
    line.reset();
    if (!tally) return report(c, o.client, tally.error());
    c.io.out << (o.client.json ? as_json(o, b, *tally) : as_text(b, *tally));
    if (interrupt::caught() != 0) return exit_by_signal + interrupt::caught();
    return tally->latency.count() == 0 ? exit_refused : exit_done;
}

constexpr const char* footer_of_all =
    "Each connection sends its next request when it has its answer. Measured from here, after\n"
    "one second of warm-up; on one machine the load takes its share of the processors.\n"
    "Ctrl-C ends it early and prints what was measured until then.\n"
    "Rate and latencies count what succeeded; refusals and failures are counted by their codes.\n"
    "Exit code: 0 measured, whatever the errors beside; 1 nothing succeeded, or it could not be\n"
    "run; 2 wrong usage; 130 (143) ended by Ctrl-C (SIGTERM).\n";
constexpr const char* footer_of_commands =
    "The ids are bench-0 to bench-9999, in turn (--keys), or bench-hot (--hot); --id-prefix names\n"
    "others, for a command that needs something to be there: --id-prefix account- --keys 10 sends\n"
    "to account-0 to account-9.\n";
constexpr const char* footer_of_appends =
    "The events bench.happened go into the streams bench-0 to bench-999.\n";

}  // namespace

void add_bench(subcommand app, context& c) {
    const subcommand bench_app =
        app.add_subcommand("bench", "Measure a running server; writes data into it");
    bench_app.require_subcommand();
    bench_app.footer(
        "Examples:\n"
        "  flexcore bench commands\n"
        "  flexcore bench append --events 100 --connections 8\n"
        "  flexcore bench propagation --rate 1000 --json");
    const auto sub = [&](const char* name, const char* about, preparing prepare, const char* writes,
                         const char* examples, std::size_t connections = 64) {
        const subcommand one = bench_app.add_subcommand(name, about);
        auto o = std::make_shared<options>();
        o->plan.connections = connections;
        one.add_option("--connections", o->plan.connections,
                       fmt::format("Kept open (default {})", connections).c_str())
            .range(1, 10'000)
            .type_name("N");
        one.add_option("--seconds", o->plan.seconds, "To measure (default 5)")
            .between(0.1, 3'600)
            .type_name("S");
        one.add_option("--threads", o->plan.threads, "That make the load (default 1)")
            .range(1, 64)
            .type_name("N");
        one.add_flag("--allow-remote", o->allow_remote,
                     "Run against a server that is not on this machine");
        one.add_flag("--quiet", o->quiet, "No progress on standard error");
        add_client_options(one, o->client, c);
        one.footer(std::string{writes} + footer_of_all + "Examples:\n" + examples);
        one.callback([o, prepare, &c] {
            c.action = [o, prepare, &c] { return run_bench(c, *o, prepare); };
        });
        return std::pair{one, o};
    };
    const auto rate = [](subcommand one, options& o, const char* about) {
        one.add_option("--rate", o.plan.rate, about).between(1, 1'000'000).type_name("N");
    };
    const auto bytes = [](subcommand one, options& o, const char* about) {
        one.add_option("--bytes", o.bytes, about).range(0, 1 << 20).type_name("N");
    };
    {
        const auto [one, o] =
            sub("commands", "Commands on many aggregates, or on one", commands, footer_of_commands,
                "  flexcore bench commands --connections 64 --seconds 5\n"
                "  flexcore bench commands --hot --json\n"
                "  flexcore bench commands --type bank.deposit --data '{\"amount\": 1}' "
                "--id-prefix account- --keys 10");
        one.add_option("--type", o->type, "Another command than counter.increment")
            .type_name("NAME");
        one.add_option("--data", o->data, "Its data: JSON, @FILE or - (default {})")
            .type_name("JSON");
        one.add_option("--keys", o->keys, "Aggregates, in turn (default 10000)")
            .range(1, 100'000'000)
            .type_name("N");
        one.add_flag("--hot", o->hot, "All on one aggregate");
        one.add_option("--id-prefix", o->id_prefix, "Of the aggregates' ids (default bench-)")
            .check([](const std::string& text) {
                // The load's templates begin so.
                return text.find('$') == text.npos ? std::string{} : "must not hold a $";
            })
            .type_name("TEXT");
        rate(one, *o, "Commands per second over all connections (default: as fast as answered)");
    }
    {
        const auto [one, o] =
            sub("queries", "Queries, answered from the cache mostly", queries,
                "Without --name it first makes the counters bench-0 to bench-99.\n",
                "  flexcore bench queries\n"
                "  flexcore bench queries --name sales.top_products --param "
                "limit=5");
        one.add_option("--name", o->query, "Another query than counter.value").type_name("NAME");
        one.add_repeatable("--param", o->parameters, "Its parameters NAME=VALUE; may be repeated")
            .type_name("NAME=VALUE");
        rate(one, *o, "Queries per second over all connections (default: as fast as answered)");
    }
    {
        const auto [one, o] = sub("append", "Appends to many streams", append, footer_of_appends,
                                  "  flexcore bench append\n"
                                  "  flexcore bench append --events 100 --connections 8");
        one.add_option("--events", o->events, "Per append (default 1)")
            .range(1, 1'000)
            .type_name("N");
        bytes(one, *o, "Of each event's data (default 100)");
        rate(one, *o, "Appends per second over all connections (default: as fast as answered)");
    }
    {
        const auto [one, o] =
            sub("propagation", "From the append to the subscriber", propagation, footer_of_appends,
                "  flexcore bench propagation --rate 1000\n"
                "  flexcore bench propagation --subscribers 10 --json",
                propagation_appenders);
        o->plan.rate = 1'000;
        one.add_option("--subscribers", o->subscribers, "Event streams that follow (default 1)")
            .range(1, 1'000)
            .type_name("N");
        bytes(one, *o, "Of each event's data (default 100)");
        rate(one, *o, "Events per second (default 1000)");
    }
    {
        const auto [one, o] = sub("plugin", "A plugin's processor: bytes in, bytes out", plugin, "",
                                  "  flexcore bench plugin\n"
                                  "  flexcore bench plugin resize --bytes 65536");
        o->bytes = 1'024;
        one.add_option("NAME", o->plugin, "The plugin (default echo)").type_name("");
        bytes(one, *o, "Given to it (default 1024)");
        rate(one, *o, "Calls per second over all connections (default: as fast as answered)");
    }
}

}  // namespace flexcore::cli

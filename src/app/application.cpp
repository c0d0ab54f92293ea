#include "app/application.hpp"

#include "app/setting_table.hpp"
#include "base/check.hpp"
#include "bus/append_bus.hpp"
#include "bus/change_counters.hpp"
#include "bus/key_registry.hpp"
#include "runtime/io_pool.hpp"
#include "runtime/stop_stack.hpp"
#include "runtime/timers.hpp"
#include "runtime/worker_pool.hpp"
#include "store/errc.hpp"
#include "telemetry/health.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace flexcore::app {
namespace {

constexpr std::size_t workers_min = 4;
// Of the stop's time, what connections may not use up: the log must still be closed.
constexpr monotonic::duration closing_share_max = std::chrono::seconds{5};

std::size_t cores() { return std::max(1u, std::thread::hardware_concurrency()); }

std::filesystem::path executable_folder() {
    std::error_code ec;
    return std::filesystem::read_symlink("/proc/self/exe", ec).parent_path();
}

gateway::http_settings http_of(const settings& s) {
    gateway::http_settings http = s.http;
    http.stop_max = s.runtime.stop_max - std::min(closing_share_max, s.runtime.stop_max / 4);
    http.plugin_loading = http.plugin_loading && is_loopback(http.host);
    return http;
}

plugin::plugin_settings plugins_of(const settings& s) {
    plugin::plugin_settings plugins = s.plugins;
    plugins.dirs = plugin_folders(s);
    return plugins;
}

/// The way out of what a PostgreSQL, or libpq, has said; nothing when that says it itself.
std::string_view what_to_do_with_postgres(std::string_view said) {
    const auto has = [&](std::string_view words) { return said.find(words) != said.npos; };
    if (has("password authentication failed") || has("no password supplied"))
        return "Give the role's password by store.password_file, PGPASSWORD or PGPASSFILE.";
    if (has("does not exist"))
        return "Make it (createdb, createuser), or mend store.url (--store).";
    if (has("permission denied"))
        return "The role of store.url needs the right to make the schema (GRANT CREATE ON "
               "DATABASE … TO …), or a schema that is its own.";
    if (has("data folder"))
        return "Make it writable for this user, or name another with --data DIR (store.data).";
    if (has("schema name")) return "Name another schema (store.schema).";
    if (has("cannot be reached"))
        return "Is the database running, and do host and port of store.url (--store) fit?";
    return {};
}

/// The way out of a store that does not open.
std::string_view what_to_do(const error& why, bool postgres) {
    const std::error_code& code = why.code;
    if (code == store::store_errc::locked)
        return "End that process, or give this server a folder of its own with --data DIR.";
    if (postgres && code == store::store_errc::newer_schema)
        return "Run the newer program, or name another schema (store.schema).";
    if (postgres && code == store::store_errc::corrupt)
        return "`flexcore verify` with the same settings names what is damaged.";
    if (postgres) {
        const auto way = what_to_do_with_postgres(why.log);
        return way.empty() ? what_to_do_with_postgres(why.client) : way;
    }
    if (code == store::store_errc::newer_schema)
        return "Run the newer program, or name another folder with --data DIR.";
    if (code == store::store_errc::corrupt)
        return "Restore the folder from a backup, or name another with --data DIR.";
    if (code == store::store_errc::full) return "Make room on that disk.";
    return "Make it writable for this user, or name another folder with --data DIR (store.data).";
}

double ms(monotonic::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

}  // namespace

std::string_view version() noexcept { return FLEXCORE_VERSION; }
std::string store_version() { return store::library_version(); }

struct application::state {
    explicit state(loaded_settings given) : loaded{std::move(given)} {
        // What people are told must hold whatever folder they stand in.
        settings.store.data = std::filesystem::absolute(settings.store.data).lexically_normal();
    }

    loaded_settings loaded;
    app::settings& settings = loaded.values;
    telemetry::metrics metrics;
    telemetry::health_registry health;

    // In floor order; destroyed in reverse, after `stops` has run.
    std::unique_ptr<runtime::timers> timers;
    std::unique_ptr<runtime::worker_pool> workers;
    std::unique_ptr<runtime::io_pool> io;
    store::opened_store store;
    std::unique_ptr<bus::event_bus> events;
    bus::allow_all authorizer;
    bus::key_registry keys;
    bus::change_counters changes;
    std::unique_ptr<domain::projection_runner> projections;
    std::unique_ptr<bus::append_bus> appends;
    std::unique_ptr<bus::command_bus> commands;
    std::unique_ptr<bus::query_bus> queries;
    std::unique_ptr<domain::aggregate_runtime> aggregates;
    std::unique_ptr<plugin::plugin_host> plugins;
    std::unique_ptr<gateway::http_server> server;

    runtime::stop_stack stops{[](std::string_view name, monotonic::duration took) {
        telemetry::log(telemetry::level::debug, "app", "stopped",
                       {{"part", name}, {"took_ms", ms(took)}});
    }};

    void start_threads() {
        timers = std::make_unique<runtime::timers>();
        stops.push("timers", [this] { timers->stop(); });
        const std::size_t worker_count = settings.runtime.workers != 0
                                             ? settings.runtime.workers
                                             : std::max(workers_min, 2 * cores());
        workers = std::make_unique<runtime::worker_pool>("work", worker_count);
        stops.push("workers", [this] { workers->stop(); });
        metrics.gauge_from("flexcore_worker_tasks_waiting", "Tasks queued for the worker pool.", {},
                           [this] { return static_cast<double>(workers->waiting()); });
        metrics.gauge_from("flexcore_log_lines_dropped", "Log lines lost to a full queue.", {},
                           [] { return static_cast<double>(telemetry::log_dropped()); });
        io = std::make_unique<runtime::io_pool>(
            settings.runtime.io_threads != 0 ? settings.runtime.io_threads : cores());
        io->start();
        stops.push("io", [this] { io->stop(); });
    }

    result<void> open_store() {
        auto opened = store::open_store(settings.store, metrics, health);
        if (!opened) {
            error e = std::move(opened.error());
            const bool postgres = store::is_postgres_url(settings.store.url);
            e.client = fmt::format(
                "{}: the store cannot be opened (store.url = {}, store.data = {}): {}{}. {}",
                loaded.place_of(postgres ? "store.url" : "store.data"),
                mask_url(settings.store.url), settings.store.data.string(), e.client,
                postgres && !e.log.empty() ? ": " + e.log : "", what_to_do(e, postgres));
            return fail(std::move(e));
        }
        store = std::move(*opened);
        stops.push("snapshots", [this] { store.snapshots->stop(); });
        stops.push("read models", [this] { store.views->stop(); });
        stops.push("event log", [this] { store.log->stop(); });
        return {};
    }

    void build_buses_and_domain() {
        events = std::make_unique<bus::event_bus>(settings.events, *store.log, metrics);
        projections = std::make_unique<domain::projection_runner>(
            settings.projections, *store.log, *store.views, *events, changes, metrics, health);
        stops.push("projections", [this] { projections->stop(); });
        appends = std::make_unique<bus::append_bus>(*store.log, authorizer, *projections, keys,
                                                    metrics, settings.commands.inline_wait);
        commands = std::make_unique<bus::command_bus>(settings.commands, authorizer, *projections,
                                                      keys, *timers, metrics);
        queries = std::make_unique<bus::query_bus>(settings.queries, *store.views, *projections,
                                                   changes, authorizer, *workers, *timers, metrics);
        aggregates = std::make_unique<domain::aggregate_runtime>(
            settings.aggregates, *store.log, *events, *workers, metrics, store.snapshots.get());
        projections->start();
    }

    result<void> load_plugins() {
        plugins = std::make_unique<plugin::plugin_host>(
            plugins_of(settings),
            plugin::plugin_host::wiring{*commands, *queries, *aggregates, *projections, changes,
                                        *workers, *timers, metrics, health});
        stops.push("plugins", [this] { plugins->stop(); });
        for (const plugin_entry& entry : settings.plugin_load) {
            const auto done = plugins->load(entry.file, entry.config_json);
            if (done) continue;
            error e = done.error();
            const auto folder =
                std::filesystem::absolute(entry.file).lexically_normal().parent_path();
            e.client = fmt::format(
                "{}: the plugin {} cannot be loaded (plugins.load): {}{}",
                entry.where.empty() ? loaded.place_of("plugins.load") : entry.where,
                entry.file.string(), e.client,
                e.code == plugin::plugin_errc::outside_dirs
                    ? fmt::format("; add its folder with --plugin-dir {} or to plugins.dirs",
                                  folder.string())
                    : "");
            return fail(std::move(e));
        }
        return {};
    }

    result<void> start_server() {
        server = std::make_unique<gateway::http_server>(
            http_of(settings),
            gateway::http_services{*store.log, *store.views, *appends, *commands, *queries, *events,
                                   *projections, *plugins, authorizer, keys, *io, *workers, *timers,
                                   metrics, health, std::string{version()}, store.far});
        stops.push("http", [this] { server->stop(); });
        if (const auto started = server->start(); !started) {
            error e = started.error();
            e.client = fmt::format(
                "{}: {} Name another with --listen HOST:PORT (http.host, http.port); port 0 takes "
                "a free one.",
                loaded.place_of("http.port"), e.client);
            return fail(std::move(e));
        }
        return {};
    }

    /// What a person could do now, line by line.
    [[nodiscard]] std::string next_steps(bool with_plugins) const {
        const std::string at =
            server->port() == 8080 && is_loopback(settings.http.host) ? "" : " --url " + url();
        const auto shipped = executable_folder() / "plugins" / "counter.so";
        std::error_code ec;
        std::string out;
        if (with_plugins) {
            out += fmt::format("  flexcore commands{0}\n  flexcore queries{0}\n", at);
        } else if (http_of(settings).plugin_loading && settings.plugins.dirs.empty() &&
                   std::filesystem::exists(shipped, ec)) {
            out += fmt::format(
                "  flexcore plugins load {1}{0}\n"
                "  flexcore command send counter.increment c1{0}\n"
                "  flexcore query counter.value --param id=c1{0}\n",
                at, shipped.string());
        } else {
            out += fmt::format("  flexcore events append notes-1 --type note.added{}\n", at);
        }
        return out +
               fmt::format("  flexcore events tail --from start{0}\n  flexcore health{0}\n", at);
    }

    [[nodiscard]] std::string url() const {
        const bool six = settings.http.host.find(':') != std::string::npos;
        return fmt::format("http://{}{}{}:{}", six ? "[" : "", settings.http.host, six ? "]" : "",
                           server->port());
    }
};

application::application(loaded_settings loaded)
    : state_{std::make_unique<state>(std::move(loaded))} {}
application::~application() { stop(); }

result<void> application::start() {
    state& s = *state_;
    s.start_threads();
    if (auto opened = s.open_store(); !opened) return opened;
    s.build_buses_and_domain();
    if (auto loaded = s.load_plugins(); !loaded) return loaded;
    if (auto served = s.start_server(); !served) return served;
    const std::string url = s.url();
    telemetry::log(telemetry::level::info, "app", "serving",
                   {{"url", std::string_view{url}},
                    {"store", std::string_view{s.store.description}},
                    {"version", version()}});
    return {};
}

std::uint16_t application::port() const noexcept { return state_->server->port(); }

std::string application::description() const {
    const state& s = *state_;
    std::string plugins;
    for (const auto& plugin : s.plugins->list())
        plugins += fmt::format("{}{} {}", plugins.empty() ? "" : ", ", plugin.name, plugin.version);
    std::vector<std::string> set;
    for (const auto& [key, source] : s.loaded.sources)
        if (source != "default") set.push_back(key);
    return fmt::format(
        "FlexCore {} is listening on {}\n"
        "  data      {}, {} event{}\n"
        "  plugins   {}\n"
        "  settings  {}\n"
        "  API       {}/docs in a browser, {}/openapi.json\n"
        "Try next, in another terminal:\n{}"
        "Ctrl-C stops it.\n",
        version(), s.url(), s.store.description, s.store.log->head(),
        s.store.log->head() == 1 ? "" : "s", plugins.empty() ? "none" : plugins,
        set.empty() ? "all defaults (flexcore config show)"
                    : fmt::format("{} given, the others defaults (flexcore config show)",
                                  fmt::join(set, ", ")),
        s.url(), s.url(), s.next_steps(!plugins.empty()));
}

void application::stop() { state_->stops.run(); }

}  // namespace flexcore::app

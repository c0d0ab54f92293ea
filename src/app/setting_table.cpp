#include "app/setting_table.hpp"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <concepts>
#include <utility>

namespace flexcore::app {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kib = 1024;
constexpr std::int64_t mib = 1024 * kib;
constexpr std::int64_t gib = 1024 * mib;
constexpr std::int64_t second = 1'000;
constexpr std::int64_t minute = 60 * second;
constexpr std::int64_t hour = 60 * minute;

const std::vector<std::string> level_names{"trace", "debug", "info", "warn", "error", "off"};
const std::vector<std::string> format_names{"json", "text"};
const std::vector<std::string> colour_names{"auto", "always", "never"};

// Between a struct's field and the table's value. Enumerations are their place in the names.
const std::vector<std::string>& names_of(telemetry::level) { return level_names; }
const std::vector<std::string>& names_of(telemetry::log_format) { return format_names; }
const std::vector<std::string>& names_of(colour_choice) { return colour_names; }

setting_value load(bool field) { return field; }
template <std::integral T>
setting_value load(T field) {
    return static_cast<std::int64_t>(field);
}
template <class E>
    requires std::is_enum_v<E>
setting_value load(E field) {
    return names_of(field).at(static_cast<std::size_t>(field));
}
setting_value load(const std::string& field) { return field; }
setting_value load(const std::filesystem::path& field) { return field.string(); }
setting_value load(monotonic::duration field) {
    return std::int64_t{std::chrono::duration_cast<milliseconds>(field).count()};
}
setting_value load(const std::vector<std::filesystem::path>& field) {
    std::vector<std::string> texts(field.size());
    std::ranges::transform(field, texts.begin(), [](const auto& path) { return path.string(); });
    return texts;
}
setting_value load(const std::vector<std::string>& field) { return field; }
setting_value load(const std::vector<plugin_entry>& field) { return field; }

void store(bool& field, const setting_value& v) { field = std::get<bool>(v); }
template <std::integral T>
void store(T& field, const setting_value& v) {
    field = static_cast<T>(std::get<std::int64_t>(v));  // within the row's limits
}
template <class E>
    requires std::is_enum_v<E>
void store(E& field, const setting_value& v) {
    const auto& names = names_of(E{});
    const auto place = std::ranges::find(names, std::get<std::string>(v)) - names.begin();
    field = static_cast<E>(place);
}
void store(std::string& field, const setting_value& v) { field = std::get<std::string>(v); }
void store(std::filesystem::path& field, const setting_value& v) {
    field = std::get<std::string>(v);
}
void store(monotonic::duration& field, const setting_value& v) {
    field = milliseconds{std::get<std::int64_t>(v)};
}
void store(std::vector<std::filesystem::path>& field, const setting_value& v) {
    const auto& texts = std::get<std::vector<std::string>>(v);
    field.assign(texts.begin(), texts.end());
}
void store(std::vector<std::string>& field, const setting_value& v) {
    field = std::get<std::vector<std::string>>(v);
}
void store(std::vector<plugin_entry>& field, const setting_value& v) {
    field = std::get<std::vector<plugin_entry>>(v);
}

/// A row without its access; the kind of a number follows from its name.
template <class Field>
setting bare(std::string key, std::string about) {
    setting row;
    row.key = std::move(key);
    row.about = std::move(about);
    if constexpr (std::same_as<Field, bool>)
        row.kind = setting_kind::boolean;
    else if constexpr (std::same_as<Field, monotonic::duration>)
        row.kind = setting_kind::milliseconds;
    else if constexpr (std::integral<Field>)
        row.kind = row.key.find("_bytes") != std::string::npos ? setting_kind::bytes
                                                               : setting_kind::integer;
    else if constexpr (std::is_enum_v<Field>)
        row.kind = setting_kind::choice, row.choices = names_of(Field{});
    else if constexpr (std::same_as<Field, std::vector<std::filesystem::path>> ||
                       std::same_as<Field, std::vector<std::string>>)
        row.kind = setting_kind::list;
    else if constexpr (std::same_as<Field, std::vector<plugin_entry>>)
        row.kind = setting_kind::plugins;
    return row;
}

template <class Access>
setting row(std::string key, Access, std::string about) {
    using field = std::remove_cvref_t<decltype(Access{}(std::declval<settings&>()))>;
    setting s = bare<field>(std::move(key), std::move(about));
    s.get = [](const settings& from) { return load(Access{}(from)); };
    s.set = [](settings& into, const setting_value& v) { store(Access{}(into), v); };
    return s;
}

template <class Access>
setting row(std::string key, Access access, std::int64_t min, std::int64_t max, std::string about) {
    setting s = row(std::move(key), access, std::move(about));
    s.min = min;
    s.max = max;
    return s;
}

template <class... Rows>
void append(std::vector<setting>& table, Rows&&... rows) {
    (table.push_back(std::forward<Rows>(rows)), ...);
}

// Reaches one field of const and mutable settings alike.
// NOLINTNEXTLINE(bugprone-macro-parentheses): a path of members takes none
#define FLEXCORE_FIELD(path) [](auto& s) -> auto& { return s.path; }

void add_http(std::vector<setting>& t) {
    append(
        t,
        row("http.host", FLEXCORE_FIELD(http.host),
            "Address to listen on: an IP address or localhost. Others than loopback need "
            "security.allow_anonymous_non_loopback."),
        row("http.port", FLEXCORE_FIELD(http.port), 0, 65'535,
            "Port to listen on. 0 takes a free one (see --port-file)."),
        row("http.body_bytes_max", FLEXCORE_FIELD(http.body_bytes_max), kib, gib,
            "Largest body of a request; of NDJSON, the largest line. Beyond is 413."),
        row("http.json_depth_max", FLEXCORE_FIELD(http.json_depth_max), 1, 512,
            "Deepest nesting of JSON in a request. Beyond is 400."),
        row("http.header_bytes_max", FLEXCORE_FIELD(http.header_bytes_max), kib, mib,
            "Largest head (request line and headers) of a request."),
        row("http.connections_max", FLEXCORE_FIELD(http.connections_max), 1, 1'000'000,
            "Connections open at once. Each needs a file descriptor."),
        row("http.pipeline_max", FLEXCORE_FIELD(http.pipeline_max), 1, 10'000,
            "Pipelined requests of one connection that are taken before earlier answers have "
            "left. At most 8 of them are worked on at once."),
        row("http.output_bytes_max", FLEXCORE_FIELD(http.output_bytes_max), 64 * kib, gib,
            "Answers of one connection that wait to be sent. Beyond, nothing more is read."),
        row("http.held_bytes_max", FLEXCORE_FIELD(http.held_bytes_max), mib, 64 * gib,
            "Bodies still coming or at work and answers not yet taken, of all connections "
            "together. "
            "Beyond, answers over 64 KiB and large bodies are 503; a quarter beyond, all reads."),
        row("http.header_timeout_ms", FLEXCORE_FIELD(http.header_timeout), 100, hour,
            "A head must be complete this long after its first byte."),
        row("http.body_timeout_ms", FLEXCORE_FIELD(http.body_timeout), 100, hour,
            "A body (of NDJSON, a line) must make progress this often, and be complete after twice "
            "this time and 1 ms for each of its bytes; the rate rises as in write_timeout_ms."),
        row("http.idle_timeout_ms", FLEXCORE_FIELD(http.idle_timeout), 100, 24 * hour,
            "A kept connection without requests is closed after this long."),
        row("http.write_timeout_ms", FLEXCORE_FIELD(http.write_timeout), 100, hour,
            "A client that lets its answer wait and takes less than 1 byte per ms in this time is "
            "cut; less than 256 while http.held_bytes_max is used up and it holds more than 1/256 "
            "of that."),
        row("http.compression_bytes_min", FLEXCORE_FIELD(http.compression_bytes_min), 0, gib,
            "Answers of this size and more are compressed for clients that ask for it (zstd, "
            "gzip). 0: none. Streams of events never are."),
        row("http.socket_idle_timeout_ms", FLEXCORE_FIELD(http.socket_idle_timeout), 100, 24 * hour,
            "A WebSocket whose client is silent this long, pongs included, is closed. It is "
            "pinged at half of it."),
        row("http.cors_origins", FLEXCORE_FIELD(http.cors_origins),
            "Origins of web pages that may ask from a browser, beside this server's own when it "
            "is asked by IP address or as localhost; its own other names belong here too: "
            "[\"https://app.example.com\"]. Empty: none."),
        row("http.drain_ms", FLEXCORE_FIELD(http.drain), 0, 20 * second,
            "How long connections are still taken after SIGTERM, with /readyz at 503, so that "
            "load balancers can look away first."),
        row("http.plugin_loading", FLEXCORE_FIELD(http.plugin_loading),
            "Whether POST /v1/plugins loads plugins. Only ever effective on loopback."),
        row("http.access_log", FLEXCORE_FIELD(http.access_log), "One log line per request."));
}

void add_store(std::vector<setting>& t) {
    setting url = row("store.url", FLEXCORE_FIELD(store.url),
                      "Where events are kept: \"sqlite:\" (files in store.data), "
                      "\"postgresql://user@host:5432/database\" or \"memory:\" (lost at the end; "
                      "for tests).");
    url.also_variable = "DATABASE_URL";
    url.secret = true;
    append(t, std::move(url),
           row("store.data", FLEXCORE_FIELD(store.data),
               "Data folder; made when absent. One server at a time."),
           row("store.queue_events_max", FLEXCORE_FIELD(store.queue_events_max), 1, 100'000'000,
               "Events that wait to be written. Beyond, writes are refused as busy (503)."),
           row("store.queue_bytes_max", FLEXCORE_FIELD(store.queue_bytes_max), mib, 64 * gib,
               "The same in bytes."),
           row("store.batch_events_max", FLEXCORE_FIELD(store.batch_events_max), 1, 1'000'000,
               "Events written by one commit."),
           row("store.batch_bytes_max", FLEXCORE_FIELD(store.batch_bytes_max), 64 * kib, gib,
               "The same in bytes."),
           row("store.wal_bytes_max", FLEXCORE_FIELD(store.wal_bytes_max), mib, 64 * gib,
               "SQLite: the write-ahead log is folded into the database beyond this size."),
           row("store.schema", FLEXCORE_FIELD(store.schema),
               "PostgreSQL: the schema that holds everything; made when absent."),
           row("store.password_file", FLEXCORE_FIELD(store.password_file),
               "PostgreSQL: a file whose first line is the password. PGPASSWORD and PGPASSFILE "
               "count as well."),
           row("store.connect_timeout_ms", FLEXCORE_FIELD(store.connect_timeout), second, hour,
               "PostgreSQL: for each host of store.url; whole seconds."),
           row("store.statement_timeout_ms", FLEXCORE_FIELD(store.statement_timeout), 100, hour,
               "PostgreSQL: a statement that takes longer is given up."),
           row("store.sessions_max", FLEXCORE_FIELD(store.sessions_max), 1, 1'000,
               "PostgreSQL: sessions that read; up to four others write and watch."));
}

void add_log(std::vector<setting>& t) {
    append(t,
           row("log.level", FLEXCORE_FIELD(log.level_min), "Least severe lines that are written."),
           row("log.format", FLEXCORE_FIELD(log.format),
               "text for people, json (one object per line) for programs."),
           row("log.colour", FLEXCORE_FIELD(colour),
               "Colours in text: auto means on a terminal, unless NO_COLOR is set."),
           row("log.file", FLEXCORE_FIELD(log.file),
               "File the log is appended to. Empty: standard error."));
}

void add_buses(std::vector<setting>& t) {
    append(
        t,
        row("commands.timeout_ms", FLEXCORE_FIELD(commands.timeout), 1, hour,
            "A command is answered after this long at the latest; one that was written by then may "
            "wait for inline projections besides (inline_wait_ms)."),
        row("commands.inline_wait_ms", FLEXCORE_FIELD(commands.inline_wait), 0, minute,
            "How long the answer to a write waits for inline projections."),
        row("commands.in_flight_max", FLEXCORE_FIELD(commands.in_flight_max), 1, 10'000'000,
            "Commands at work at once. Beyond is 503 busy."),
        row("commands.aggregates_cached_max", FLEXCORE_FIELD(aggregates.cached_max), 0, 100'000'000,
            "Aggregates kept in memory between commands."),
        row("commands.aggregates_cached_bytes_max", FLEXCORE_FIELD(aggregates.cached_bytes_max), 0,
            64 * gib, "The same in bytes."),
        row("commands.lane_waiting_max", FLEXCORE_FIELD(aggregates.lane_waiting_max), 1, 1'000'000,
            "Commands that wait for one aggregate. Beyond is 503 busy."),
        row("commands.lane_batch_max", FLEXCORE_FIELD(aggregates.lane_batch_max), 1, 10'000,
            "Commands of one aggregate that are decided in one go and written together."),
        row("commands.conflict_attempts_max", FLEXCORE_FIELD(aggregates.attempts_max), 1, 100,
            "How often a command is decided when other writers change its aggregate meanwhile."),
        row("commands.snapshot_every", FLEXCORE_FIELD(aggregates.snapshot_every), 1, 1'000'000'000,
            "Events after which an aggregate's state is kept, so that it is loaded quickly."),

        row("queries.timeout_ms", FLEXCORE_FIELD(queries.timeout), 1, hour,
            "A query is answered after this long at the latest, its wait for min_position "
            "(wait_ms) not counted."),
        row("queries.cache_bytes_max", FLEXCORE_FIELD(queries.cache_bytes_max), 0, 64 * gib,
            "Answers kept for equal queries while nothing they read has changed. 0: no cache."),
        row("queries.stale_if_error_ms", FLEXCORE_FIELD(queries.stale_if_error), 0, 24 * hour,
            "PostgreSQL: while it is away, answers kept from before are still given for this long, "
            "with their age in the field Age. 0: they are 503 then, like all others."),
        row("queries.in_flight_max", FLEXCORE_FIELD(queries.in_flight_max), 1, 10'000'000,
            "Queries at work at once. Beyond is 503 busy."),

        row("events.ring_events_max", FLEXCORE_FIELD(events.ring_events_max), 1, 10'000'000,
            "Latest events kept in memory for subscribers. A slower one reads the log instead."),
        row("events.ring_bytes_max", FLEXCORE_FIELD(events.ring_bytes_max), 64 * kib, 64 * gib,
            "The same in bytes."),
        row("events.subscribers_max", FLEXCORE_FIELD(events.subscribers_max), 1, 10'000'000,
            "Subscribers (open event streams) at once. Beyond is 503 busy."));
}

void add_domain(std::vector<setting>& t) {
    append(
        t,
        row("projections.apply_timeout_ms", FLEXCORE_FIELD(projections.apply_timeout), 1, hour,
            "A projection must have applied a batch of events after this long."),
        row("projections.retry_delay_ms", FLEXCORE_FIELD(projections.retry_delay), 1, hour,
            "First pause before a stopped projection tries its event again; grows each time."),
        row("projections.retry_delay_ms_max", FLEXCORE_FIELD(projections.retry_delay_max), 1,
            24 * hour, "Longest such pause."),
        row("projections.rebuild_batch_max", FLEXCORE_FIELD(projections.rebuild_batch_max), 1,
            100'000, "Events per transaction while a projection is rebuilt."),

        row("plugins.dirs", FLEXCORE_FIELD(plugins.dirs),
            "Only files below these folders load (symbolic links are resolved first). Empty: the "
            "folder \"plugins\" beside the executable, which is not meant once others are named."),
        row("plugins.load", FLEXCORE_FIELD(plugin_load),
            "Plugins loaded at start, each with its configuration. As a variable: file names "
            "separated by commas. --plugin adds to the list."),
        row("plugins.call_timeout_ms", FLEXCORE_FIELD(plugins.call_timeout), 1, hour,
            "A plugin must complete a call after this long, unless the caller has less time."),
        row("plugins.drain_timeout_ms", FLEXCORE_FIELD(plugins.drain_timeout), 0, hour,
            "How long an unload waits for open calls."),
        row("plugins.start_timeout_ms", FLEXCORE_FIELD(plugins.start_timeout), 1, hour,
            "A plugin must have started after this long."),
        row("plugins.health_every_ms", FLEXCORE_FIELD(plugins.health_every), 100, hour,
            "How often plugins are asked how they are."),
        row("plugins.health_timeout_ms", FLEXCORE_FIELD(plugins.health_timeout), 1, hour,
            "A plugin that has not answered by then is unhealthy."),
        row("plugins.in_flight_max", FLEXCORE_FIELD(plugins.in_flight_max), 1, 1'000'000,
            "Calls of one plugin at once, when it names no bound itself. Beyond is 503 busy."));
}

void add_process(std::vector<setting>& t) {
    append(t,
           row("runtime.io_threads", FLEXCORE_FIELD(runtime.io_threads), 0, 1'024,
               "Threads that serve connections. 0: one per core."),
           row("runtime.workers", FLEXCORE_FIELD(runtime.workers), 0, 1'024,
               "Threads for whatever may wait (plugins, scans, files). 0: two per core, at least "
               "four."),
           row("runtime.stop_ms_max", FLEXCORE_FIELD(runtime.stop_max), 1 * second, 30 * second,
               "An ordered stop that takes longer ends with exit code 1."),
           row("security.allow_anonymous_non_loopback",
               FLEXCORE_FIELD(security.allow_anonymous_non_loopback),
               "Without authentication everybody who reaches the port may do everything. Only "
               "set this behind something that keeps strangers out."));
}

#undef FLEXCORE_FIELD

}  // namespace

settings::settings() { store.data = "flexcore-data"; }

std::string setting::variable() const {
    std::string name = "FLEXCORE_";
    for (const char c : key)
        name += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return name;
}
std::string setting::section() const { return key.substr(0, key.find('.')); }
std::string setting::name() const { return key.substr(key.find('.') + 1); }

const std::vector<setting>& setting_table() {
    static const std::vector<setting> table = [] {
        std::vector<setting> rows;
        add_http(rows);
        add_store(rows);
        add_log(rows);
        add_buses(rows);
        add_domain(rows);
        add_process(rows);
        return rows;
    }();
    return table;
}

const setting* find_setting(std::string_view key) {
    const auto& table = setting_table();
    const auto at = std::ranges::find(table, key, &setting::key);
    return at == table.end() ? nullptr : &*at;
}

}  // namespace flexcore::app

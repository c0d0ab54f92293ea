#include "unit/plugin/house.hpp"

#include "base/check.hpp"
#include "base/json.hpp"

namespace flexcore::plugin::testing {
namespace {

store::opened_store open_memory(telemetry::metrics& metrics, telemetry::health_registry& health) {
    store::store_settings settings;
    settings.url = "memory:";
    auto opened = store::open_store(settings, metrics, health);
    FLEXCORE_CHECK(opened.has_value());
    return *std::move(opened);
}

}  // namespace

template class pending<bus::command_reply>;
template class pending<std::string>;

void fail_with(const error& why) {
    FAIL(why.code.message() << ": " << why.client << " " << why.log);
}

std::filesystem::path shipped(std::string_view name) {
    return std::filesystem::path{FLEXCORE_BINARY_DIR} / "plugins" / (std::string{name} + ".so");
}
std::filesystem::path misbehaving(std::string_view name) {
    return std::filesystem::path{FLEXCORE_BINARY_DIR} / "tests" / "plugins" /
           (std::string{name} + ".so");
}

plugin_settings house::quick() {
    plugin_settings settings;
    settings.dirs = {shipped("x").parent_path(), misbehaving("x").parent_path()};
    settings.call_timeout = std::chrono::milliseconds{300};
    settings.start_timeout = std::chrono::milliseconds{500};
    settings.drain_timeout = std::chrono::milliseconds{500};
    settings.health_every = std::chrono::milliseconds{20};
    settings.health_timeout = std::chrono::milliseconds{100};
    return settings;
}

house::house(plugin_settings settings)
    : store{open_memory(metrics, health)},
      events{{}, *store.log, metrics},
      projections{{.apply_timeout = std::chrono::milliseconds{300}},
                  *store.log,
                  *store.views,
                  events,
                  changes,
                  metrics,
                  health},
      aggregates{{}, *store.log, events, workers, metrics},
      commands{{}, everybody, projections, keys, timers, metrics},
      queries{{}, *store.views, projections, changes, everybody, workers, timers, metrics} {
    projections.start();
    host.emplace(std::move(settings),
                 plugin_host::wiring{commands, queries, aggregates, projections, changes, workers,
                                     timers, metrics, health});
}

house::~house() {
    host.reset();
    projections.stop();
    store.log->stop();
    store.views->stop();
    timers.stop();
    workers.stop();
}

result<plugin_status> house::load(const std::filesystem::path& path, std::string_view config) {
    return host->load(path, config);
}

void house::command_later(std::string type, std::string id, std::string data,
                          bus::command_done done) {
    bus::command cmd;
    cmd.type = std::move(type);
    cmd.aggregate_id = std::move(id);
    cmd.data = std::move(data);
    commands.send(std::move(cmd), std::move(done));
}

result<bus::command_reply> house::command(std::string type, std::string id, std::string data,
                                          monotonic::duration timeout) {
    pending<bus::command_reply> answer;
    bus::command cmd;
    cmd.type = std::move(type);
    cmd.aggregate_id = std::move(id);
    cmd.data = std::move(data);
    cmd.until = monotonic::now() + timeout;
    commands.send(std::move(cmd), answer.callback());
    return answer.get();
}

result<std::string> house::query(std::string name, std::string params, store::position min_position,
                                 monotonic::duration timeout) {
    pending<std::shared_ptr<const bus::query_answer>> answer;
    bus::query asked;
    asked.name = std::move(name);
    asked.params = std::move(params);
    asked.min_position = min_position;
    asked.wait = std::chrono::seconds{30};
    asked.until = monotonic::now() + timeout;
    queries.ask(std::move(asked), answer.callback());
    auto got = answer.get();
    if (!got) return fail(std::move(got).error());
    std::vector<json::member> members;
    json::members_of(json::slice{(*got)->body}, members);
    for (const auto& member : members)
        if (member.named("data")) return std::string{member.value.text};
    return fail(base_errc::internal, "an answer without data");
}

result<std::string> house::execute(std::string_view plugin, std::string input,
                                   monotonic::duration timeout) {
    pending<std::string> answer;
    host->execute(plugin, {}, "application/octet-stream", std::move(input),
                  monotonic::now() + timeout, answer.callback());
    return answer.get();
}

store::position house::append(std::string_view stream, std::string_view type,
                              std::string_view data) {
    struct texts {
        std::string stream, type, data;
        store::new_event event;
    };
    auto kept = std::make_shared<texts>();
    kept->stream = stream;
    kept->type = type;
    kept->data = data;
    kept->event.type = kept->type;
    kept->event.data = kept->data;
    store::append_request request;
    request.tenant = "default";
    request.appends = {{kept->stream, {}, {&kept->event, 1}}};
    request.backing = kept;
    pending<store::append_outcome> answer;
    store.log->append(std::move(request), answer.callback());
    const auto outcome = answer.get();
    FLEXCORE_CHECK(outcome.has_value());
    return outcome->pos;
}

std::size_t house::events_in_log() { return static_cast<std::size_t>(store.log->head()); }

plugin_status house::status(std::string_view plugin) const {
    auto found = host->status(plugin);
    FLEXCORE_CHECK(found.has_value());
    return *std::move(found);
}

}  // namespace flexcore::plugin::testing

// Plugins: list, load, unload, execute, health.
#include "gateway/api.hpp"
#include "gateway/body_reader.hpp"
#include "gateway/catalogue_page.hpp"
#include "gateway/json_object.hpp"
#include "gateway/target.hpp"

namespace flexcore::gateway {
namespace {

std::string_view name_of_health(telemetry::health state) {
    switch (state) {
        case telemetry::health::healthy:
            return "healthy";
        case telemetry::health::degraded:
            return "degraded";
        case telemetry::health::unhealthy:
            return "unhealthy";
    }
    return "unhealthy";
}

void append_plugin(std::string& out, const plugin::plugin_status& one) {
    json_object to{out};
    to.text("name", one.name)
        .text("id", one.id)
        .text("version", one.version)
        .text("path", one.path)
        .text("state", one.state)
        .texts("interfaces", one.interfaces)
        .texts("aggregates", one.aggregates)
        .texts("commands", one.commands)
        .texts("projections", one.projections)
        .texts("read_models", one.read_models)
        .texts("queries", one.queries)
        .number("calls", one.calls)
        .number("failures", one.failures)
        .number("in_flight", one.in_flight)
        .number("overdue", one.overdue)
        .number("stale_completions", one.stale_completions)
        .text("health", name_of_health(one.health))
        .text("loaded_at", format_time(one.loaded_at));
    if (!one.last_error.empty()) to.text("last_error", one.last_error);
    to.end();
}

void list_plugins(const std::shared_ptr<api>& on, request& asked, responder answer) {
    if (auto ok = on->may(asked, "read", "plugins"); !ok) return answer(ok.error());
    give_catalogue(
        asked, std::move(answer), on->services.plugins.list(),
        [](const plugin::plugin_status& one) { return std::string_view{one.name}; }, append_plugin);
}

void one_plugin(const std::shared_ptr<api>& on, request& asked, responder answer) {
    if (auto ok = on->may(asked, "read", asked.param(0)); !ok) return answer(ok.error());
    const auto found = on->services.plugins.status(asked.param(0));
    if (!found) return answer(found.error());
    std::string out;
    append_plugin(out, *found);
    answer(json_response(std::move(out)));
}

result<void> may_change_plugins(const api& on, const request& asked, std::string_view resource) {
    if (auto ok = on.may(asked, "admin", resource); !ok) return ok;
    if (!on.settings.plugin_loading)
        return fail(gateway_errc::forbidden, "Loading plugins by HTTP is switched off.");
    if (!on.loopback)
        return fail(gateway_errc::forbidden,
                    "Plugins are loaded and unloaded by HTTP on loopback addresses only.");
    return {};
}

void load_plugin(const std::shared_ptr<api>& on, request& asked, responder answer) {
    if (auto ok = may_change_plugins(*on, asked, "plugins"); !ok) return answer(ok.error());
    const auto root = json::parse(asked.body, on->settings.json_depth_max);
    if (!root) return answer(root.error());
    findings found;
    object_reader from{*root, "", found};
    auto path = from.require_text("path");
    if (path && (path->empty() || path->find('\0') != path->npos))
        from.bad("path", "must be the path of a file");
    std::string config;
    if (const auto value = from.take("config")) {
        if (value->type() != json::kind::object) from.bad("config", "must be an object");
        config = value->text;
    }
    from.finish();
    if (found.any()) return answer(found.to_error());

    on_worker(
        on, std::move(answer),
        [on, path = std::move(*path),
         config = std::move(config)](const request&) -> result<response> {
            auto loaded = on->services.plugins.load(path, config);
            on->catalogue_epoch.fetch_add(1, std::memory_order_acq_rel);
            if (!loaded) {
                error refused = std::move(loaded.error());
                // The text of the start of a server names its flag; here somebody else must act.
                if (refused.code == plugin::plugin_errc::outside_dirs)
                    refused.client +=
                        "; start the server with --plugin-dir and the file's folder, or add that "
                        "to plugins.dirs";
                return fail(std::move(refused));
            }
            response out;
            out.status = 201;
            out.headers.push_back({"Location", "/v1/plugins/" + encode_segment(loaded->name)});
            append_plugin(out.body, *loaded);
            return out;
        });
}

void unload_plugin(const std::shared_ptr<api>& on, request& asked, responder answer) {
    if (auto ok = may_change_plugins(*on, asked, asked.param(0)); !ok) return answer(ok.error());
    on_worker(on, std::move(answer), [on](const request& r) -> result<response> {
        auto gone = on->services.plugins.unload(r.param(0));
        on->catalogue_epoch.fetch_add(1, std::memory_order_acq_rel);
        if (!gone) return fail(std::move(gone.error()));
        response out;
        out.status = 204;
        out.content_type = {};
        return out;
    });
}

void execute_plugin(const std::shared_ptr<api>& on, request& asked, responder answer) {
    if (auto ok = on->may(asked, "command", asked.param(0)); !ok) return answer(ok.error());
    std::string input = std::move(asked.body);
    auto kept = hold_at_work(on->held, input.size());
    on->services.plugins.execute(
        asked.param(0), asked.who, asked.fields.content_type, std::move(input), no_deadline,
        [answer = std::move(answer), kept = std::move(kept)](result<std::string> done) mutable {
            kept.reset();
            if (!done) return answer(done.error());
            response out;
            out.content_type = octets_type;
            out.body = std::move(*done);
            answer(std::move(out));
        });
}

void plugin_health(const std::shared_ptr<api>& on, request& asked, responder answer) {
    if (auto ok = on->may(asked, "read", asked.param(0)); !ok) return answer(ok.error());
    const std::string& name = asked.param(0);
    on->services.plugins.health(
        name, [name, answer = std::move(answer)](result<telemetry::health_report> report) mutable {
            if (!report) return answer(report.error());
            response out;
            out.status = report->state == telemetry::health::unhealthy ? 503 : 200;
            json_object{out.body}
                .text("name", name)
                .text("status", name_of_health(report->state))
                .text("text", report->text)
                .end();
            answer(std::move(out));
        });
}

}  // namespace

void add_plugin_routes(router& to, const std::shared_ptr<api>& on) {
    const auto bound = [on](auto handler) {
        return [on, handler](request& r, responder a) { handler(on, r, std::move(a)); };
    };
    const answer_spec unknown{404, "No such plugin", "Problem", problem_type};
    const answer_spec forbidden{403, "Not allowed on this server or address", "Problem",
                                problem_type};
    to.add({.method = verb::get,
            .pattern = "/v1/plugins",
            .handler = bound(list_plugins),
            .operation = "listPlugins",
            .summary = "The loaded plugins",
            .tag = "plugins",
            .query = catalogue_params(),
            .answers = {{200, "All plugins", "PluginList"}}});
    to.add(
        {.method = verb::post,
         .pattern = "/v1/plugins",
         .handler = bound(load_plugin),
         .operation = "loadPlugin",
         .summary = "Load a plugin from a file below plugins.dirs",
         .tag = "plugins",
         .body = body_kind::json,
         .request_schema = "PluginLoad",
         .answers = {{201, "Loaded and serving", "Plugin", json_type, {"Location"}},
                     forbidden,
                     {409, "Loaded already, or a name is taken", "Problem", problem_type},
                     {422, "The file is no plugin that can be loaded", "Problem", problem_type}}});
    to.add({.method = verb::get,
            .pattern = "/v1/plugins/{name}",
            .handler = bound(one_plugin),
            .operation = "getPlugin",
            .summary = "One plugin",
            .tag = "plugins",
            .answers = {{200, "The plugin", "Plugin"}, unknown}});
    to.add({.method = verb::delete_,
            .pattern = "/v1/plugins/{name}",
            .handler = bound(unload_plugin),
            .operation = "unloadPlugin",
            .summary = "Drain a plugin and take it out of service",
            .tag = "plugins",
            .answers = {{204, "Gone"},
                        forbidden,
                        unknown,
                        {504, "Calls were still open at the deadline", "Problem", problem_type}}});
    to.add({.method = verb::post,
            .pattern = "/v1/plugins/{name}/execute",
            .handler = bound(execute_plugin),
            .operation = "executePlugin",
            .summary = "Run the plugin's processor: bytes in, bytes out",
            .tag = "plugins",
            .body = body_kind::any,
            .request_schema = "Bytes",
            .answers = {{200, "What the plugin made of it", "Bytes", octets_type},
                        unknown,
                        {502, "The plugin failed", "Problem", problem_type},
                        {504, "No answer in time", "Problem", problem_type}}});
    to.add({.method = verb::get,
            .pattern = "/v1/plugins/{name}/health",
            .handler = bound(plugin_health),
            .operation = "getPluginHealth",
            .summary = "Ask the plugin how it is, now",
            .tag = "plugins",
            .answers = {{200, "Healthy or degraded", "PluginHealth"},
                        unknown,
                        {503, "Unhealthy", "PluginHealth"}}});
}

}  // namespace flexcore::gateway

// For the operator: liveness, readiness, health, metrics, version.
#include "gateway/api.hpp"
#include "gateway/json_object.hpp"

namespace flexcore::gateway {
namespace {

constexpr std::string_view metrics_type = "text/plain; version=0.0.4; charset=utf-8";

std::string check_text(const telemetry::health_report& report) {
    std::string out = report.state == telemetry::health::healthy    ? "healthy"
                      : report.state == telemetry::health::degraded ? "degraded"
                                                                    : "unhealthy";
    if (!report.text.empty()) out += ": " + report.text;
    return out;
}

void append_checks(std::string& out, const std::vector<telemetry::named_health>& all) {
    out += '{';
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (i != 0) out += ',';
        json::append_string(out, all[i].name);
        out += ':';
        json::append_string(out, check_text(all[i].report));
    }
    out += '}';
}

void livez(const std::shared_ptr<api>&, request&, responder answer) {
    answer(json_response("{\"status\":\"alive\"}"));
}

void readyz(const std::shared_ptr<api>& on, request& asked, responder answer) {
    const auto all = on->services.health.all();
    const bool draining = on->draining.load(std::memory_order_acquire);
    const auto ill = std::find_if(all.begin(), all.end(), [](const telemetry::named_health& one) {
        return one.needed_for_ready && one.report.state == telemetry::health::unhealthy;
    });
    const bool verbose = asked.at->arg("verbose") != nullptr;
    if (draining || ill != all.end()) {
        error e{make_error_code(gateway_errc::not_ready),
                draining ? "The server is stopping."
                         : "\"" + ill->name + "\" is " + check_text(ill->report) + "."};
        if (verbose) {
            boost::json::object checks;
            for (const telemetry::named_health& one : all)
                checks.emplace(one.name, check_text(one.report));
            e = std::move(e).with("checks", std::move(checks));
        }
        return answer(e);
    }
    std::string out;
    json_object to{out};
    to.text("status", "ready");
    if (verbose) {
        to.begin("checks");
        append_checks(out, all);
    }
    to.end();
    answer(json_response(std::move(out)));
}

void healthz(const std::shared_ptr<api>& on, request&, responder answer) {
    const auto all = on->services.health.all();
    telemetry::health worst = telemetry::health::healthy;
    for (const telemetry::named_health& one : all) worst = std::max(worst, one.report.state);
    response out;
    out.status = worst == telemetry::health::unhealthy ? 503 : 200;
    json_object to{out.body};
    to.text("status", check_text({worst, ""})).begin("checks");
    append_checks(out.body, all);
    to.text("version", on->services.version).end();
    answer(std::move(out));
}

void metrics(const std::shared_ptr<api>& on, request&, responder answer) {
    on_worker(on, std::move(answer), [on](const request&) -> result<response> {
        response out;
        out.content_type = metrics_type;
        out.body = on->services.metrics.text();
        return out;
    });
}

void version(const std::shared_ptr<api>& on, request&, responder answer) {
    std::string out;
    json_object{out}.text("version", on->services.version).text("api", "v1").end();
    answer(json_response(std::move(out)));
}

}  // namespace

void add_operation_routes(router& to, const std::shared_ptr<api>& on) {
    const auto bound = [on](auto handler) {
        return [on, handler](request& r, responder a) { handler(on, r, std::move(a)); };
    };
    to.add({.method = verb::get,
            .pattern = "/livez",
            .handler = bound(livez),
            .operation = "livez",
            .summary = "Whether the process runs; asks nothing of anybody",
            .tag = "operation",
            .answers = {{200, "It runs", "Status"}}});
    to.add({.method = verb::get,
            .pattern = "/readyz",
            .handler = bound(readyz),
            .operation = "readyz",
            .summary = "Whether this node should get traffic",
            .tag = "operation",
            .query = {{"verbose", param_type::flag, "With every check"}},
            .answers = {{200, "Ready", "Status"}, {503, "Not ready", "Problem", problem_type}}});
    to.add({.method = verb::get,
            .pattern = "/healthz",
            .handler = bound(healthz),
            .operation = "healthz",
            .summary = "How the parts of the server are",
            .tag = "operation",
            .answers = {{200, "Healthy or degraded", "Health"}, {503, "Unhealthy", "Health"}}});
    to.add({.method = verb::get,
            .pattern = "/metrics",
            .handler = bound(metrics),
            .operation = "metrics",
            .summary = "Metrics in the Prometheus text format",
            .tag = "operation",
            .answers = {{200, "All series", "Text", "text/plain"}}});
    to.add({.method = verb::get,
            .pattern = "/v1/version",
            .handler = bound(version),
            .operation = "version",
            .summary = "Version of the program and of its API",
            .tag = "operation",
            .answers = {{200, "The version", "Version"}}});
}

void add_routes(router& to, const std::shared_ptr<api>& on) {
    add_event_routes(to, on);
    add_stream_routes(to, on);
    add_append_routes(to, on);
    add_command_routes(to, on);
    add_query_routes(to, on);
    add_read_model_routes(to, on);
    add_projection_routes(to, on);
    add_plugin_routes(to, on);
    add_operation_routes(to, on);
    add_docs_routes(to, on);
}

}  // namespace flexcore::gateway

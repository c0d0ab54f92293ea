// Projections: how they are, and what the operator may do to them.
#include "gateway/api.hpp"
#include "gateway/body_reader.hpp"
#include "gateway/catalogue_page.hpp"
#include "gateway/json_object.hpp"

namespace flexcore::gateway {
namespace {

std::string_view name_of_state(domain::projection_state state) {
    switch (state) {
        case domain::projection_state::running:
            return "running";
        case domain::projection_state::catching_up:
            return "catching_up";
        case domain::projection_state::paused:
            return "paused";
        case domain::projection_state::stopped:
            return "stopped";
        case domain::projection_state::rebuilding:
            return "rebuilding";
    }
    return "stopped";
}

void append_status(std::string& out, const domain::projection_status& one) {
    std::vector<std::string> models;
    models.reserve(one.models.size());
    for (const store::model_spec& model : one.models) models.push_back(model.name);
    json_object to{out};
    to.text("name", one.name)
        .text("plugin", one.plugin)
        .number("version", one.version)
        .text("state", name_of_state(one.state))
        .boolean("inline", one.inline_mode)
        .number("position", one.checkpoint)
        .number("lag_events", one.lag_events)
        .number("lag_ms", one.lag_ms)
        .texts("read_models", models);
    if (!one.error.empty()) to.text("error", one.error);
    if (one.poison != 0) to.number("poison_position", one.poison);
    if (one.state == domain::projection_state::rebuilding || one.rebuild_position != 0)
        to.number("rebuild_position", one.rebuild_position);
    to.end();
}

// How far one lags is looked up in the log, so all of these run on workers.

void list_projections(const std::shared_ptr<api>& on, request& asked, responder answer) {
    if (auto ok = on->may(asked, "read", "projections"); !ok) return answer(ok.error());
    on_worker(on, std::move(answer), [on](const request& r) {
        return catalogue_page(
            r, on->services.projections.all(),
            [](const domain::projection_status& one) { return std::string_view{one.name}; },
            append_status);
    });
}

result<response> status_of(const api& on, const std::string& name, int status) {
    const auto found = on.services.projections.status(name);
    if (!found) return fail(found.error());
    response out;
    out.status = status;
    append_status(out.body, *found);
    return out;
}

void one_projection(const std::shared_ptr<api>& on, request& asked, responder answer) {
    if (auto ok = on->may(asked, "read", asked.param(0)); !ok) return answer(ok.error());
    on_worker(on, std::move(answer),
              [on](const request& r) { return status_of(*on, r.param(0), 200); });
}

/// Asks for the change and answers how the projection is now: 202, since it happens by itself. On a
/// worker, since the runner may have to finish the batch at hand.
template <class Change>
void change(const std::shared_ptr<api>& on, responder answer, Change what) {
    const request& asked = answer.asked();
    if (auto ok = on->may(asked, "admin", asked.param(0)); !ok) return answer(ok.error());
    on_worker(on, std::move(answer), [on, what](const request& r) -> result<response> {
        if (auto ok = what(on->services.projections, r.param(0)); !ok)
            return fail(std::move(ok.error()));
        return status_of(*on, r.param(0), 202);
    });
}

void skip(const std::shared_ptr<api>& on, request& asked, responder answer) {
    const auto root = json::parse(asked.body, on->settings.json_depth_max);
    if (!root) return answer(root.error());
    findings found;
    object_reader from{*root, "", found};
    std::optional<store::position> position;
    if (const auto value = from.require("position")) {
        position = read_position(*value);
        if (!position) from.bad("position", "must be a position");
    }
    from.finish();
    if (found.any()) return answer(found.to_error());
    change(on, std::move(answer),
           [at = *position](domain::projection_runner& runner, const std::string& name) {
               return runner.skip(name, at);
           });
}

}  // namespace

void add_projection_routes(router& to, const std::shared_ptr<api>& on) {
    const auto bound = [on](auto handler) {
        return [on, handler](request& r, responder a) { handler(on, r, std::move(a)); };
    };
    const answer_spec unknown{404, "No such projection", "Problem", problem_type};
    to.add({.method = verb::get,
            .pattern = "/v1/projections",
            .handler = bound(list_projections),
            .operation = "listProjections",
            .summary = "All projections and how far they are",
            .tag = "projections",
            .query = catalogue_params(),
            .answers = {{200, "All projections", "ProjectionList"}}});
    to.add({.method = verb::get,
            .pattern = "/v1/projections/{name}",
            .handler = bound(one_projection),
            .operation = "getProjection",
            .summary = "One projection",
            .tag = "projections",
            .answers = {{200, "The projection", "Projection"}, unknown}});

    struct action {
        const char *path, *operation, *summary;
        result<void> (domain::projection_runner::*call)(std::string_view);
    };
    for (const action& one :
         {action{"rebuild", "rebuildProjection",
                 "Build the read models anew beside the serving ones, then switch",
                 &domain::projection_runner::rebuild},
          action{"pause", "pauseProjection", "Stop applying events",
                 &domain::projection_runner::pause},
          action{"resume", "resumeProjection", "Go on applying events",
                 &domain::projection_runner::resume}})
        to.add({.method = verb::post,
                .pattern = std::string{"/v1/projections/{name}/"} + one.path,
                .handler =
                    [on, call = one.call](request&, responder answer) {
                        change(on, std::move(answer),
                               [call](domain::projection_runner& runner, const std::string& name) {
                                   return (runner.*call)(name);
                               });
                    },
                .operation = one.operation,
                .summary = one.summary,
                .tag = "projections",
                .answers = {{202, "Under way", "Projection"},
                            unknown,
                            {409, "Not possible in its present state", "Problem", problem_type}}});
    to.add({.method = verb::post,
            .pattern = "/v1/projections/{name}/skip",
            .handler = bound(skip),
            .operation = "skipPoisonEvent",
            .summary = "Pass over the event at which the projection stopped",
            .tag = "projections",
            .body = body_kind::json,
            .request_schema = "Skip",
            .answers = {{202, "Under way", "Projection"},
                        unknown,
                        {409, "It did not stop at this position", "Problem", problem_type}}});
}

}  // namespace flexcore::gateway

// Queries: by query string, by body, and the catalogue.
#include "base/names.hpp"
#include "base/nearest.hpp"
#include "bus/errc.hpp"
#include "gateway/api.hpp"
#include "gateway/body_reader.hpp"
#include "gateway/catalogue_page.hpp"
#include "gateway/json_object.hpp"
#include "gateway/query_args.hpp"
#include "gateway/query_params.hpp"
#include "gateway/read_answers.hpp"

namespace flexcore::gateway {
namespace {

void ask(const std::shared_ptr<api>& on, bus::query what, responder answer) {
    auto kept = hold_at_work(on->held, what.params.size());
    on->services.queries.ask(std::move(what),
                             [answer = std::move(answer), kept = std::move(kept)](
                                 result<std::shared_ptr<const bus::query_answer>> done) mutable {
                                 kept.reset();
                                 if (!done) return answer(done.error());
                                 answer(answer_with_etag(answer.asked(), std::move(*done)));
                             });
}

/// A query worked out from a target, for all requests with this target.
struct prepared_query {
    std::uint64_t epoch;
    std::string params;
    freshness at_least;
};

void ask_by_target(const std::shared_ptr<api>& on, request& asked, responder answer) {
    const resolved_target& at = *asked.at;
    auto ready = std::static_pointer_cast<const prepared_query>(at.memo);
    const std::uint64_t epoch = on->catalogue_epoch.load(std::memory_order_acquire);
    if (!ready || ready->epoch != epoch) {
        const auto known = on->services.queries.find(at.params[0]);
        if (!known) return answer(known.error());
        for (const std::string_view name : {"min_position", "wait_ms"}) {
            const auto count = std::count_if(at.args.begin(), at.args.end(),
                                             [&](const query_arg& a) { return a.name == name; });
            if (count > 1)
                return answer(error{make_error_code(gateway_errc::bad_request),
                                    "Query parameter \"" + std::string{name} + "\" stands twice."});
        }
        const auto at_least = freshness_args(at);
        if (!at_least) return answer(at_least.error());
        auto params = query_params_json(*known, at);
        if (!params) return answer(params.error());
        ready = std::make_shared<const prepared_query>(
            prepared_query{epoch, std::move(*params), *at_least});
        at.memo = ready;
    }
    ask(on,
        bus::query{.name = at.params[0],
                   .params = ready->params,
                   .min_position = ready->at_least.min_position,
                   .wait = ready->at_least.wait,
                   .who = asked.who},
        std::move(answer));
}

void ask_by_body(const std::shared_ptr<api>& on, request& asked, responder answer) {
    const auto at_least = freshness_args(*asked.at);
    if (!at_least) return answer(at_least.error());
    bus::query what{.name = asked.param(0),
                    .params = {},
                    .min_position = at_least->min_position,
                    .wait = at_least->wait,
                    .who = asked.who};
    const auto root = json::parse(asked.body, on->settings.json_depth_max);
    if (!root) return answer(root.error());
    findings found;
    object_reader from{*root, "", found};
    if (const auto params = from.take("params")) {
        if (params->type() != json::kind::object)
            from.bad("params", "must be an object");
        else
            what.params = params->text;
    }
    from.finish();
    if (found.any()) return answer(found.to_error());
    if (asked.body.size() > uncounted_bytes_max) {
        asked.body.clear();
        asked.body.shrink_to_fit();
    }
    ask(on, std::move(what), std::move(answer));
}

void list_queries(const std::shared_ptr<api>& on, request& asked, responder answer) {
    if (auto ok = on->may(asked, "read", "queries"); !ok) return answer(ok.error());
    give_catalogue(
        asked, std::move(answer), on->services.queries.catalogue(),
        [](const bus::query_descriptor& one) { return std::string_view{one.name}; },
        [](std::string& out, const bus::query_descriptor& one) {
            json_object{out}
                .text("name", one.name)
                .text("plugin", one.plugin)
                .text("description", one.description)
                .raw("schema",
                     one.params_schema ? std::string_view{one.params_schema->text()} : "null")
                .texts("reads", one.reads)
                .end();
        });
}

}  // namespace

void add_query_routes(router& to, const std::shared_ptr<api>& on) {
    const auto bound = [on](auto handler) {
        return [on, handler](request& r, responder a) { handler(on, r, std::move(a)); };
    };
    const std::vector<query_param> fresh{
        {"min_position", param_type::position, "The answer must have seen this position"},
        {"wait_ms", param_type::integer, "How long to wait for it", 0,
         static_cast<std::int64_t>(wait_ms_max)}};
    std::vector<query_param> by_target = fresh;
    by_target.push_back(
        {"params", param_type::object, "The query's own parameters, each by its name"});
    const std::vector<answer_spec> answers{
        {200, "The answer", "QueryAnswer"},
        {304, "Unchanged since the ETag", ""},
        {404, "No such query, or the one thing asked for does not exist", "Problem", problem_type},
        {409, "The read model has not come that far", "Problem", problem_type},
        {504, "No answer in time", "Problem", problem_type}};
    to.add({.method = verb::get,
            .pattern = "/v1/queries/{name}",
            .handler = bound(ask_by_target),
            .operation = "query",
            .summary = "Ask a query; its parameters are query parameters",
            .tag = "queries",
            .query = std::move(by_target),
            .open_query = true,
            .answers = answers});
    to.add({.method = verb::post,
            .pattern = "/v1/queries/{name}",
            .handler = bound(ask_by_body),
            .operation = "queryByBody",
            .summary = "Ask a query; its parameters are in the body",
            .tag = "queries",
            .query = fresh,
            .body = body_kind::json,
            .request_schema = "QueryParams",
            .answers = answers});
    to.add({.method = verb::get,
            .pattern = "/v1/queries",
            .handler = bound(list_queries),
            .operation = "listQueries",
            .summary = "The catalogue of queries",
            .tag = "queries",
            .query = catalogue_params(),
            .answers = {{200, "All queries", "QueryCatalogue"}}});
}

}  // namespace flexcore::gateway

// Read models: which there are, their rows.
#include "base/names.hpp"
#include "base/nearest.hpp"
#include "bus/errc.hpp"
#include "gateway/api.hpp"
#include "gateway/catalogue_page.hpp"
#include "gateway/json_object.hpp"
#include "gateway/query_args.hpp"
#include "gateway/read_answers.hpp"
#include "gateway/where_args.hpp"
#include "store/errc.hpp"

namespace flexcore::gateway {
namespace {

void list_models(const std::shared_ptr<api>& on, request& asked, responder answer) {
    if (auto ok = on->may(asked, "read", "read-models"); !ok) return answer(ok.error());
    using model = std::pair<store::model_spec, std::string>;
    give_catalogue(
        asked, std::move(answer), on->services.projections.models(),
        [](const model& one) { return std::string_view{one.first.name}; },
        [](std::string& out, const model& one) {
            json_object{out}
                .text("name", one.first.name)
                .text("projection", one.second)
                .texts("indexed", one.first.indexed)
                .end();
        });
}

void append_row(std::string& out, const store::row& row) {
    json_object{out}.text("key", row.key).raw("row", row.json).number("position", row.pos).end();
}

/// Calls `go(answer)` once the model has reached what the request asks for.
template <class Go>
void when_fresh(const std::shared_ptr<api>& on, responder answer, Go go) {
    const request& asked = answer.asked();
    const auto at_least = freshness_args(*asked.at);
    if (!at_least) return answer(at_least.error());
    const std::vector<std::string> models{asked.param(0)};
    if (at_least->min_position == 0 ||
        on->services.projections.reached(models) >= at_least->min_position)
        return go(std::move(answer));
    // A position is only waited for where somebody can reach it.
    const auto known = on->services.projections.models();
    const bool exists = std::any_of(known.begin(), known.end(), [&](const auto& one) {
        return one.first.name == models.front();
    });
    if (!exists) return go(std::move(answer));
    places::held place = on->positions_waited.take();
    if (!place)
        return answer(error{make_error_code(gateway_errc::busy), "Too many requests are waiting."});
    on->services.projections.when_reached(
        models, at_least->min_position, monotonic::now() + at_least->wait,
        [on, models, place = std::move(place), answer = std::move(answer),
         go = std::move(go)](bool reached) mutable {
            place = places::held{};
            if (reached) return go(std::move(answer));
            answer(error{make_error_code(bus::bus_errc::read_model_behind),
                         "The read model has not come to this position yet."}
                       .with("position", on->services.projections.reached(models)));
        });
}

/// What a query string cannot say: whether 17 is the number or the text. It is taken as text when
/// the field holds texts.
result<void> settle_types(store::view_reader& from, const request& asked, scan_args& args) {
    for (std::size_t i = 0; i < args.scan.where.size(); ++i) {
        if (!args.ambiguous[i]) continue;
        store::scan_query::condition& where = args.scan.where[i];
        store::scan_query probe;
        probe.where.push_back({where.field, store::compare::ge, std::string{}});
        probe.limit = 1;
        auto texts = from.scan(asked.who.tenant, asked.param(0), probe);
        if (!texts) return fail(std::move(texts.error()));
        if (!texts->rows.empty()) where.value = args.texts[i];
    }
    return {};
}

/// The store's refusal with what the caller may have meant: the names and fields there are.
error with_guess(const api& on, const std::string& model, const scan_args* args, error refused) {
    const auto known = on.services.projections.models();
    if (refused.code == store::store_errc::unknown_model) {
        std::vector<std::string_view> names;
        names.reserve(known.size());
        for (const auto& one : known) names.emplace_back(one.first.name);
        refused.client += did_you_mean(model, names);
    }
    if (refused.code != store::store_errc::not_indexed || args == nullptr) return refused;
    const auto found = std::find_if(known.begin(), known.end(),
                                    [&](const auto& one) { return one.first.name == model; });
    if (found == known.end()) return refused;
    const std::vector<std::string>& indexed = found->first.indexed;
    const auto guess = [&](const std::string& field) {
        const bool wrong = std::find(indexed.begin(), indexed.end(), field) == indexed.end();
        return wrong ? did_you_mean(field, indexed) : std::string{};
    };
    std::string text;
    for (const auto& where : args->scan.where)
        if (text.empty()) text = guess(where.field);
    for (const auto& order : args->scan.order)
        if (text.empty()) text = guess(order.field);
    std::string all;
    for (const std::string& one : indexed) all += (all.empty() ? "" : ", ") + one;
    refused.client += text + (all.empty() ? " (no field is)" : " (indexed: " + all + ")");
    return refused;
}

result<response> scan_rows(const api& on, const request& asked, scan_args args) {
    auto from = on.services.views.read();
    if (!from) return fail(std::move(from.error()));
    if (auto ok = settle_types(**from, asked, args); !ok)
        return fail(with_guess(on, asked.param(0), &args, std::move(ok.error())));
    auto page = (*from)->scan(asked.who.tenant, asked.param(0), args.scan);
    if (!page) return fail(with_guess(on, asked.param(0), &args, std::move(page.error())));
    return json_response(json_list(page->rows, page->next, append_row));
}

void list_rows(const std::shared_ptr<api>& on, request& asked, responder answer) {
    if (auto ok = on->may(asked, "read", asked.param(0)); !ok) return answer(ok.error());
    auto args = read_scan_args(*asked.at);
    if (!args) return answer(args.error());
    when_fresh(on, std::move(answer), [on, args = std::move(*args)](responder ready) mutable {
        on_worker(on, std::move(ready), [on, args = std::move(args)](const request& r) mutable {
            return scan_rows(*on, r, std::move(args));
        });
    });
}

std::string row_body(const store::row& row) {
    std::string out;
    append_row(out, row);
    return out;
}

result<response> get_row(const api& on, const request& asked) {
    auto found =
        on.services.queries.row(asked.who.tenant, asked.param(0), asked.param(1), row_body);
    if (!found) return fail(with_guess(on, asked.param(0), nullptr, std::move(found.error())));
    return answer_with_etag(asked, std::move(*found));
}

void one_row(const std::shared_ptr<api>& on, request& asked, responder answer) {
    if (auto ok = on->may(asked, "read", asked.param(0)); !ok) return answer(ok.error());
    when_fresh(on, std::move(answer), [on](responder ready) {
        // After a wait this is the projector's thread, which must not read.
        if (ready.home().here()) {
            const request& r = ready.asked();
            // Else one point read through the thread's own connection.
            if (!on->services.store_far) return give(ready, get_row(*on, r));
            if (auto kept = on->services.queries.row_in_cache(r.who.tenant, r.param(0), r.param(1)))
                return give(ready, answer_with_etag(r, std::move(kept)));
        }
        on_worker(on, std::move(ready), [on](const request& r) { return get_row(*on, r); });
    });
}

}  // namespace

void add_read_model_routes(router& to, const std::shared_ptr<api>& on) {
    const auto bound = [on](auto handler) {
        return [on, handler](request& r, responder a) { handler(on, r, std::move(a)); };
    };
    const query_param min_position{"min_position", param_type::position,
                                   "The answer must have seen this position"};
    const query_param wait_ms{"wait_ms", param_type::integer, "How long to wait for it", 0,
                              static_cast<std::int64_t>(wait_ms_max)};
    const answer_spec behind{409, "The read model has not come that far", "Problem", problem_type};
    to.add({.method = verb::get,
            .pattern = "/v1/read-models",
            .handler = bound(list_models),
            .operation = "listReadModels",
            .summary = "The read models there are",
            .tag = "read models",
            .query = catalogue_params(),
            .answers = {{200, "All read models", "ReadModelList"}}});
    to.add(
        {.method = verb::get,
         .pattern = "/v1/read-models/{name}",
         .handler = bound(list_rows),
         .operation = "listRows",
         .summary = "Rows of a read model, filtered and ordered by indexed fields",
         .tag = "read models",
         .query = {{"where", param_type::object,
                    "where[field]=value: the field equals it; where[field][lt|le|gt|ge] compares"},
                   {"order", param_type::text, "Fields, with '-' for descending: -total,name"},
                   {"limit", param_type::integer, "How many items at the most", 1, list_limit_max},
                   {"after", param_type::text, "`next` of the page before"},
                   min_position,
                   wait_ms},
         .open_query = true,
         .answers = {{200, "A page of rows", "RowPage"},
                     {404, "No such read model", "Problem", problem_type},
                     behind}});
    to.add({.method = verb::get,
            .pattern = "/v1/read-models/{name}/{key}",
            .handler = bound(one_row),
            .operation = "getRow",
            .summary = "One row by its key",
            .tag = "read models",
            .query = {min_position, wait_ms},
            .answers = {{200, "The row", "Row"},
                        {304, "Unchanged since the ETag", ""},
                        {404, "No such row", "Problem", problem_type},
                        behind}});
}

}  // namespace flexcore::gateway

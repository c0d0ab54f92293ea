// flexcore read-model: list, get
#include "base/json.hpp"
#include "cli/listing_impl.hpp"
#include "cli/terminal.hpp"

#include <fmt/format.h>

#include <array>
#include <memory>
#include <optional>
#include <ostream>

namespace flexcore::cli {
namespace {

struct options {
    client_options client;
    list_options list;
    watch_options watch;
    std::string model, key, order, min_position, wait_ms;
    std::vector<std::string> where;
};

// Below every number that JSON can carry here.
constexpr const char* least_number = "-1.7976931348623157e308";

struct comparison {
    std::string_view sign, name;
};

/// "total>=100" as where[total][ge]=100.
result<std::pair<std::string, std::string>> condition(const std::string& text) {
    static constexpr std::array signs{comparison{"<=", "[le]"}, comparison{">=", "[ge]"},
                                      comparison{"<", "[lt]"}, comparison{">", "[gt]"},
                                      comparison{"=", ""}};
    const std::size_t at = text.find_first_of("<>=");
    if (at != std::string::npos && at != 0)
        for (const auto& [sign, name] : signs)
            if (text.compare(at, sign.size(), sign) == 0)
                // Values are JSON scalars or plain texts: an empty text is the former.
                return std::pair{
                    fmt::format("where[{}]{}", text.substr(0, at), name),
                    at + sign.size() == text.size() ? "\"\"" : text.substr(at + sign.size())};
    return fail(base_errc::invalid_argument,
                fmt::format("--where must be FIELD=VALUE (or <, <=, >, >=), not \"{}\"", text));
}

query_parameters freshness(const options& o) {
    return {{"min_position", o.min_position}, {"wait_ms", o.wait_ms}};
}

std::string indexed(const boost::json::object& item) {
    std::string out;
    if (const auto* fields = item.if_contains("indexed"); fields != nullptr && fields->is_array())
        for (const auto& field : fields->get_array())
            out += (out.empty() ? "" : ", ") + printable(plain(field));
    return out;
}

int list_models(const context& c, const options& o) {
    static const std::vector<column> columns{member_column("read model", "name"),
                                             member_column("projection", "projection"),
                                             {"indexed fields", indexed}};
    return show(c, o.client, o.watch, [&](http_client& client) -> result<std::string> {
        list_options everything = o.list;
        everything.all = true;
        const auto got = fetch_list(client, o.client, "/v1/read-models", {}, everything);
        if (!got) return fail(got.error());
        if (o.client.json) return lines_of(got->items);
        if (got->items.empty()) return std::string{"no read models: no plugin brings one\n"};
        return table_of(got->items, columns);
    });
}

/// The key, then the row's own members.
std::string table_of_rows(const std::vector<std::string>& items) {
    std::vector<boost::json::object> rows;
    for (const std::string& item : items) {
        const auto parsed = json::to_value(item, 2 * json::depth_max_default);
        if (!parsed || !parsed->is_object()) continue;
        boost::json::object row;
        row["key"] = text_member(parsed->get_object(), "key");
        const auto* members = parsed->get_object().if_contains("row");
        if (members != nullptr && members->is_object())
            for (const auto& [name, value] : members->get_object())
                if (name != "key") row[name] = value;
        rows.push_back(std::move(row));
    }
    return table_of(rows);
}

/// Whether any row has `value` or more in the field: `""` asks for texts, the least number for
/// numbers. The row when there is one.
std::optional<boost::json::value> one_from(http_client& client, const options& o,
                                           const std::string& field, const char* value) {
    list_options one;
    one.limit = 1;
    const auto got = fetch_list(client, o.client, path_of("read-models", o.model),
                                {{fmt::format("where[{}][ge]", field), value}}, one);
    if (!got || got->items.empty()) return std::nullopt;
    const auto parsed = json::to_value(got->items.front(), 2 * json::depth_max_default);
    if (!parsed) return std::nullopt;
    return *parsed;
}

/// A text is compared with texts alone, so with a field of numbers it finds nothing: legal, and
/// hardly meant. (A number for a field of texts the server takes as that text.)
std::string note_on(http_client& client, const options& o, const std::string& condition) {
    const std::size_t at = condition.find_first_of("<>=");
    const std::string field = condition.substr(0, at);
    const std::size_t behind = condition.find('=', at) == at + 1 ? at + 2 : at + 1;
    const std::string value = condition.substr(behind);
    const auto json = json::parse(value);
    if (json && json->type() != json::kind::string && json->type() != json::kind::array &&
        json->type() != json::kind::object)
        return {};
    if (one_from(client, o, field, "\"\"")) return {};
    const auto number = one_from(client, o, field, least_number);
    if (!number) return {};
    const auto* row = number->is_object() ? number->get_object().if_contains("row") : nullptr;
    const auto* held =
        row != nullptr && row->is_object() ? row->get_object().if_contains(field) : nullptr;
    const bool truths = held != nullptr && held->is_bool();
    return fmt::format("note: no row can meet {}: {} holds {} only, and {} is a text\n",
                       printable(condition), printable(field),
                       truths ? "true and false" : "numbers",
                       value.empty() ? "\"\"" : printable(value));
}

int list(const context& c, const options& o) {
    if (o.model.empty()) {
        if (o.where.empty() && o.order.empty()) return list_models(c, o);
        return report(c, {make_error_code(base_errc::invalid_argument),
                          "read-model list: --where and --order need the read model's NAME"});
    }
    query_parameters parameters = freshness(o);
    parameters.emplace_back("order", o.order);
    for (const std::string& each : o.where) {
        auto one = condition(each);
        if (!one) return report(c, one.error());
        parameters.push_back(std::move(*one));
    }
    return show(c, o.client, o.watch, [&](http_client& client) -> result<std::string> {
        const auto got =
            fetch_list(client, o.client, path_of("read-models", o.model), parameters, o.list);
        if (!got) return fail(got.error());
        if (got->items.empty() && !o.watch.on)
            for (const std::string& each : o.where) c.io.err << note_on(client, o, each);
        if (o.client.json) return lines_of(got->items);
        if (got->items.empty()) return std::string{"no rows\n"};
        return table_of_rows(got->items) +
               (got->next.empty() ? "" : fmt::format("more: --after '{}', or --all\n", got->next));
    });
}

int get(const context& c, const options& o) {
    return show(c, o.client, o.watch, [&](http_client& client) -> result<std::string> {
        http_request request;
        request.target = path_of("read-models", o.model, "/" + percent_encoded(o.key)) +
                         query_string(freshness(o));
        const auto got = fetch(client, o.client, std::move(request));
        if (!got) return fail(got.error());
        if (o.client.json) return got->text + "\n";
        const auto* row = got->members.if_contains("row");
        return row == nullptr ? fields_of(got->members) : text_of(*row);
    });
}

void add_freshness(subcommand app, options& o) {
    app.add_option("--min-position", o.min_position,
                   "Wait until the read model has seen this position")
        .type_name("POSITION");
    app.add_option("--wait-ms", o.wait_ms, "How long to wait for it at most (default 1000)")
        .type_name("MS");
}

}  // namespace

void add_read_model(subcommand app, context& c) {
    const subcommand models = app.add_subcommand("read-model", "Rows of the read models");
    models.require_subcommand();
    models.footer(
        "Examples:\n"
        "  flexcore read-model list\n"
        "  flexcore read-model list orders --where status=shipped\n"
        "  flexcore read-model get counters c1");
    {
        const subcommand one = models.add_subcommand("list", "The read models, or the rows of one");
        auto o = std::make_shared<options>();
        one.add_option("NAME", o->model, "The read model; without it: which there are")
            .type_name("");
        one.add_repeatable("--where", o->where,
                           "Only rows with FIELD=VALUE, or <, <=, >, >=; may be repeated")
            .type_name("CONDITION");
        one.add_option("--order", o->order, "Fields to order by, - in front for descending")
            .type_name("FIELDS");
        add_list_options(one, o->list);
        add_freshness(one, *o);
        add_watch_options(one, o->watch);
        add_client_options(one, o->client, c);
        one.footer(
            "Rows are found and ordered by indexed fields only: the list of read models names\n"
            "them. A number is compared with numbers, a text with texts; what can therefore find\n"
            "nothing is said in a note. With --json each item is one line (NDJSON).\n"
            "Examples:\n"
            "  flexcore read-model list\n"
            "  flexcore read-model list orders --where status=shipped --where "
            "'total_minor>=10000'\n"
            "  flexcore read-model list products --order=-units,sku --limit 10 --watch");
        one.callback([o, &c] { c.action = [o, &c] { return list(c, *o); }; });
    }
    {
        const subcommand one = models.add_subcommand("get", "One row by its key");
        auto o = std::make_shared<options>();
        one.add_option("NAME", o->model, "The read model").required().type_name("");
        one.add_option("KEY", o->key, "The row's key").required().type_name("");
        add_freshness(one, *o);
        add_watch_options(one, o->watch);
        add_client_options(one, o->client, c);
        one.footer(
            "Examples:\n"
            "  flexcore read-model get customers 17850\n"
            "  flexcore read-model get counters c1 --min-position 1042 --json\n"
            "  flexcore read-model get counters c1 --watch");
        one.callback([o, &c] { c.action = [o, &c] { return get(c, *o); }; });
    }
}

}  // namespace flexcore::cli

// flexcore query
#include "base/json.hpp"
#include "cli/listing_impl.hpp"

#include <fmt/format.h>

#include <memory>
#include <ostream>

namespace flexcore::cli {
namespace {

struct options {
    client_options client;
    std::string name, min_position, wait_ms;
    std::vector<std::string> parameters;
};

int run_query(const context& c, const options& o) {
    std::string target = "/v1/queries/" + percent_encoded(o.name);
    char separator = '?';
    const auto add = [&](std::string_view name, std::string_view value) {
        target += fmt::format("{}{}={}", std::exchange(separator, '&'), percent_encoded(name),
                              percent_encoded(value));
    };
    for (const std::string& parameter : o.parameters) {
        const std::size_t equals = parameter.find('=');
        if (equals == std::string::npos || equals == 0)
            return report(c, {make_error_code(base_errc::invalid_argument),
                              fmt::format("--param must be NAME=VALUE, not \"{}\"", parameter)});
        add(parameter.substr(0, equals), parameter.substr(equals + 1));
    }
    if (!o.min_position.empty()) add("min_position", o.min_position);
    if (!o.wait_ms.empty()) add("wait_ms", o.wait_ms);
    auto client = client_for(o.client);
    if (!client) return report(c, client.error());
    http_request request;
    request.target = std::move(target);
    const auto answer = ask(*client, o.client, std::move(request));
    if (!answer) return report(c, o.client, answer.error());
    if (o.client.json) {
        c.io.out << answer->body << '\n';
        return exit_done;
    }
    const auto parsed = json::to_value(answer->body);
    const auto* object = parsed ? parsed->if_object() : nullptr;
    if (object == nullptr || !object->contains("data"))
        return report(c, o.client,
                      {make_error_code(cli_errc::bad_answer), "the answer has no data"});
    c.io.out << text_of(object->at("data"));
    return exit_done;
}

}  // namespace

void add_query(subcommand app, context& c) {
    const subcommand query = app.add_subcommand("query", "Ask a query");
    auto o = std::make_shared<options>();
    query.add_option("NAME", o->name, "The query's name, as `sales.top_products`").required();
    query.add_repeatable("--param", o->parameters, "A parameter NAME=VALUE; may be repeated");
    query.add_option("--min-position", o->min_position,
                     "Wait until the read models have seen this position");
    query.add_option("--wait-ms", o->wait_ms, "How long to wait for it at most (default 1000)");
    add_client_options(query, o->client, c);
    query.footer(
        "`flexcore queries` lists the queries there are, `flexcore queries NAME` their "
        "parameters.\n"
        "Examples:\n"
        "  flexcore query sales.top_products --param limit=5\n"
        "  flexcore query sales.order --param id=536365 --json\n"
        "  flexcore query counter.value --param id=c1 --min-position 1042");
    query.callback([o, &c] { c.action = [o, &c] { return run_query(c, *o); }; });
}

}  // namespace flexcore::cli

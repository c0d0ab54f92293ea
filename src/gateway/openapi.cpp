#include "gateway/openapi.hpp"

#include "base/check.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace flexcore::gateway {
namespace {

namespace bj = boost::json;

bj::object ref(std::string_view schema) {
    return {{"$ref", "#/components/schemas/" + std::string{schema}}};
}

bj::object header(std::string_view name, std::string_view text, bool required = false) {
    return {{"name", name},
            {"in", "header"},
            {"required", required},
            {"description", text},
            {"schema", {{"type", "string"}}}};
}

bj::object schema_of(const query_param& one) {
    switch (one.type) {
        case param_type::integer:
            return {{"type", "integer"}, {"minimum", one.least}, {"maximum", one.most}};
        case param_type::time:
            return {{"type", "string"}, {"format", "date-time"}};
        case param_type::choice: {
            bj::array choices;
            std::string_view rest = one.choices;
            while (!rest.empty()) {
                const std::size_t bar = std::min(rest.find('|'), rest.size());
                choices.emplace_back(rest.substr(0, bar));
                rest.remove_prefix(std::min(bar + 1, rest.size()));
            }
            return {{"type", "string"}, {"enum", std::move(choices)}};
        }
        case param_type::list:
            return {{"type", "array"}, {"items", {{"type", "string"}}}};
        case param_type::text:
        case param_type::position:
        case param_type::flag:
            break;
    }
    return {{"type", "string"}};
}

bj::array parameters_of(const route& one) {
    bj::array out;
    for (std::size_t open = one.pattern.find('{'); open != one.pattern.npos;
         open = one.pattern.find('{', open + 1)) {
        const std::size_t close = one.pattern.find('}', open);
        out.push_back(bj::object{{"name", one.pattern.substr(open + 1, close - open - 1)},
                                 {"in", "path"},
                                 {"required", true},
                                 {"schema", {{"type", "string"}}}});
    }
    for (const query_param& q : one.query) {
        bj::object parameter{{"name", q.name},
                             {"in", "query"},
                             {"required", false},
                             {"description", q.text},
                             {"schema", schema_of(q)}};
        if (q.type == param_type::list) {
            parameter["style"] = "form";
            parameter["explode"] = false;
        }
        if (q.type == param_type::flag) parameter["allowEmptyValue"] = true;
        out.push_back(std::move(parameter));
    }
    if (one.open_query && one.pattern == "/v1/queries/{name}")
        out.push_back(bj::object{{"name", "params"},
                                 {"in", "query"},
                                 {"description", "The query's own parameters, by name"},
                                 {"style", "form"},
                                 {"explode", true},
                                 {"schema", {{"type", "object"}, {"additionalProperties", true}}}});
    out.push_back(header("X-Request-Id", "Answered as it came; made when absent"));
    out.push_back(header("X-Tenant-Id", "The tenant; \"default\" when absent"));
    out.push_back(header("traceparent", "W3C trace context, continued"));
    out.push_back(header("tracestate", "W3C trace context, continued beside traceparent"));
    if (one.idempotency_key)
        out.push_back(
            header("Idempotency-Key", "The same key again gets the first answer, for 24 hours"));
    if (one.operation == "followLog")
        out.push_back(header("Last-Event-ID", "Continue behind this position"));
    if (std::any_of(one.answers.begin(), one.answers.end(),
                    [](const answer_spec& a) { return a.status == 304; }))
        out.push_back(header("If-None-Match", "An ETag of before"));
    return out;
}

bj::object content(std::string_view media, std::string_view schema) {
    return {{media, {{"schema", ref(schema)}}}};
}

bj::object answer_headers(const route& one, int status) {
    bj::object out{{"X-Request-Id", {{"schema", {{"type", "string"}}}}}};
    const auto add = [&](std::string_view name) { out[name] = {{"schema", {{"type", "string"}}}}; };
    if (one.method == verb::post && status < 300 && (one.tag == "events" || one.tag == "commands"))
        add("FlexCore-Position");
    const bool tagged = std::any_of(one.answers.begin(), one.answers.end(),
                                    [](const answer_spec& a) { return a.status == 304; });
    if (tagged && (status == 200 || status == 304)) add("ETag");
    if (one.idempotency_key && (status < 300 || status == 422)) add("Idempotent-Replay");
    if (status == 405) add("Allow");
    if (status == 503) add("Retry-After");
    if (status == 201 && one.operation == "loadPlugin") add("Location");
    return out;
}

bj::object responses_of(const route& one) {
    std::vector<answer_spec> all = one.answers;
    const auto add = [&](int status, std::string_view text) {
        const bool there = std::any_of(all.begin(), all.end(),
                                       [&](const answer_spec& a) { return a.status == status; });
        if (!there) all.push_back({status, text, "Problem", problem_type});
    };
    add(400, "The request is wrong");
    add(405, "The path does not take this method");
    add(408, "The request came too slowly");
    add(414, "The target is too long");
    add(431, "The header is too large");
    if (one.body != body_kind::none) {
        add(413, "The body is too large");
        if (one.body != body_kind::any) add(415, "The content type is not taken here");
        add(417, "Unknown expectation");
    }
    if (one.tag != "operation") {
        add(401, "Authentication is needed");
        add(403, "Forbidden");
    }
    add(500, "A defect of the server");
    add(503, "Busy or stopping; try again");
    std::sort(all.begin(), all.end(),
              [](const answer_spec& a, const answer_spec& b) { return a.status < b.status; });

    bj::object out;
    for (const answer_spec& a : all) {
        bj::object answer{{"description", a.text}, {"headers", answer_headers(one, a.status)}};
        if (!a.schema.empty()) {
            answer["content"] = content(a.media, a.schema);
            if (a.status == 200 && one.body == body_kind::json_or_ndjson)
                answer["content"].get_object()[ndjson_type] = {{"schema", ref("Lines")}};
        }
        out[std::to_string(a.status)] = std::move(answer);
    }
    return out;
}

bj::object operation_of(const route& one) {
    bj::object out{{"operationId", one.operation},
                   {"summary", one.summary},
                   {"tags", bj::array{one.tag}},
                   {"parameters", parameters_of(one)},
                   {"responses", responses_of(one)}};
    if (!one.request_schema.empty()) {
        bj::object body =
            content(one.body == body_kind::any ? octets_type : json_type, one.request_schema);
        if (one.body == body_kind::json_or_ndjson) body[ndjson_type] = {{"schema", ref("Lines")}};
        out["requestBody"] = {{"required", one.body != body_kind::any},
                              {"content", std::move(body)}};
    }
    return out;
}

std::string lower(std::string_view text) {
    std::string out{text};
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return out;
}

std::string html(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '<')
            out += "&lt;";
        else if (c == '>')
            out += "&gt;";
        else if (c == '&')
            out += "&amp;";
        else
            out += c;
    }
    return out;
}

}  // namespace

std::string openapi_document(const router& table, std::string_view version) {
    bj::object paths;
    for (const auto& one : table.all()) {
        bj::value& path = paths[one->pattern];
        if (!path.is_object()) path = bj::object{};
        path.get_object()[lower(name_of(one->method))] = operation_of(*one);
    }
    bj::value schemas = bj::parse(bj::string_view{openapi_schemas()});
    return bj::serialize(bj::object{
        {"openapi", "3.1.0"},
        {"info",
         {{"title", "FlexCore"},
          {"version", version},
          {"description", "An event-sourced application server: commands, queries, events."},
          {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
        {"servers", bj::array{bj::object{{"url", "/"}}}},
        {"paths", std::move(paths)},
        {"components", {{"schemas", std::move(schemas)}}}});
}

std::string docs_page(const router& table, std::string_view version) {
    std::string out =
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>FlexCore API</title>"
        "<style>body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
        "code{font-size:14px}td{padding:.2em 1em .2em 0;vertical-align:top}</style>"
        "<h1>FlexCore API</h1><p>Version ";
    out += html(version);
    out += ". The complete description: <a href=\"/openapi.json\">/openapi.json</a>.</p>";
    std::string_view tag;
    for (const auto& one : table.all()) {
        if (one->tag != tag) {
            if (!tag.empty()) out += "</table>";
            tag = one->tag;
            out += "<h2>" + html(tag) + "</h2><table>";
        }
        out += "<tr><td><code>" + html(name_of(one->method)) + "</code><td><code>" +
               html(one->pattern) + "</code><td>" + html(one->summary);
        for (const query_param& q : one->query)
            out += "<br><code>?" + html(q.name) + "</code> " + html(q.text);
    }
    return out + "</table></html>\n";
}

}  // namespace flexcore::gateway

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

bj::object ref(std::string_view name, std::string_view kind = "schemas") {
    return {{"$ref", "#/components/" + std::string{kind} + '/' + std::string{name}}};
}

/// Texts between separators, none for an empty one.
std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(separator), text.size());
        out.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

// ---- parameters ---------------------------------------------------------------------------------

bj::object header(std::string_view name, std::string_view text) {
    return {{"name", name},
            {"in", "header"},
            {"required", false},
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
            for (const std::string_view choice : split(one.choices, '|'))
                choices.emplace_back(choice);
            return {{"type", "string"}, {"enum", std::move(choices)}};
        }
        case param_type::list:
            return {{"type", "array"}, {"items", ref("Name")}};
        case param_type::position:
            return {{"type", "string"}, {"pattern", "^[0-9]+$"}};
        case param_type::object:
            return {{"type", "object"}, {"additionalProperties", true}};
        case param_type::text:
        case param_type::flag:
            break;
    }
    return {{"type", "string"}};
}

bj::object parameter_of(const query_param& one) {
    bj::object out{{"name", one.name},
                   {"in", "query"},
                   {"required", false},
                   {"description", one.text},
                   {"schema", schema_of(one)}};
    if (one.type == param_type::list) {
        out["style"] = "form";
        out["explode"] = false;
    } else if (one.type == param_type::flag) {
        out["allowEmptyValue"] = true;
    } else if (one.type == param_type::object) {
        // The query's own parameters stand beside the others; conditions are where[field]=value.
        out["style"] = one.name == "params" ? "form" : "deepObject";
        out["explode"] = true;
    }
    return out;
}

bj::array parameters_of(const route& one) {
    bj::array out;
    for (std::size_t open = one.pattern.find('{'); open != one.pattern.npos;
         open = one.pattern.find('{', open + 1)) {
        const std::size_t close = one.pattern.find('}', open);
        out.push_back(bj::object{{"name", one.pattern.substr(open + 1, close - open - 1)},
                                 {"in", "path"},
                                 {"required", true},
                                 {"schema", {{"type", "string"}, {"minLength", 1}}}});
    }
    for (const query_param& q : one.query) out.push_back(parameter_of(q));
    out.push_back(header("X-Request-Id", "Answered as it came; made when absent"));
    out.push_back(header("X-Tenant-Id", "The tenant; \"default\" when absent"));
    out.push_back(header("traceparent", "W3C trace context, continued"));
    out.push_back(header("tracestate", "W3C trace context, continued beside traceparent"));
    if (one.idempotency_key)
        out.push_back(
            header("Idempotency-Key", "The same key again gets the first answer, for 24 hours"));
    if (one.operation == "followLog" || one.operation == "openEventSocket")
        out.push_back(header("Last-Event-ID", "Continue behind this position"));
    if (std::any_of(one.answers.begin(), one.answers.end(),
                    [](const answer_spec& a) { return a.status == 304; }))
        out.push_back(header("If-None-Match", "An ETag of before"));
    return out;
}

// ---- answers ------------------------------------------------------------------------------------

struct field {
    std::string_view name, text;
    bool always = false;  ///< wherever an answer lists it
};
constexpr field fields[] = {
    {"X-Request-Id", "The request's own, or one made for it", true},
    {"Vary", "Which fields of the request the answer depends on"},
    {"Content-Encoding", "gzip or zstd, when Accept-Encoding takes it and the answer is large"},
    {"Access-Control-Allow-Origin", "The page's origin, when http.cors_origins has it"},
    {"Access-Control-Expose-Headers", "What such a page may read"},
    {"FlexCore-Position", "The position written; min_position takes it"},
    {"ETag", "Of the data; If-None-Match takes it", true},
    {"Age", "Seconds, while the database is away: the answer was kept from before"},
    {"Idempotent-Replay", "\"true\": the answer of the first request with this key"},
    {"Allow", "The methods this path takes", true},
    {"Retry-After", "Seconds"},
    {"Location", "Where what was made, or the page, is found", true},
    {"Cache-Control", "Whether the answer may be kept", true},
    {"Upgrade", "websocket", true},
    {"Sec-WebSocket-Accept", "Of the key (RFC 6455)", true},
    {"Sec-WebSocket-Version", "13", true},
    {"Content-Security-Policy", "What the page may load and ask", true},
    {"X-Content-Type-Options", "nosniff", true},
    {"Referrer-Policy", "no-referrer", true},
};

bj::object header_components() {
    bj::object out;
    for (const field& one : fields)
        out[one.name] = {
            {"description", one.text}, {"required", one.always}, {"schema", {{"type", "string"}}}};
    return out;
}

void add_field(bj::object& to, std::string_view name) {
    FLEXCORE_CHECK(std::any_of(std::begin(fields), std::end(fields),
                               [&](const field& one) { return one.name == name; }));
    to[name] = ref(name, "headers");
}

bj::object answer_of(const answer_spec& a, std::string_view lines = {}) {
    bj::object headers;
    for (const std::string_view name :
         {"X-Request-Id", "Vary", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers"})
        add_field(headers, name);
    for (const std::string_view name : a.fields) add_field(headers, name);
    bj::object out{{"description", a.text}};
    if (!a.schema.empty()) {
        add_field(headers, "Content-Encoding");
        bj::object content;
        for (const std::string_view media : split(a.media, '|'))
            content[media] = {{"schema", ref(a.schema)}};
        if (!lines.empty())
            content[ndjson_type] = {{"schema", ref("Lines")}, {"x-line-schema", ref(lines)}};
        out["content"] = std::move(content);
    }
    out["headers"] = std::move(headers);
    return out;
}

struct shared_answer {
    std::string_view name;
    answer_spec spec;
};

/// What every operation may answer, or every one that takes a body.
const std::vector<shared_answer>& shared_answers() {
    static const std::vector<shared_answer> all{
        {"BadRequest", {400, "The request is wrong", "Problem", problem_type}},
        {"Unauthorized", {401, "Authentication is needed", "Problem", problem_type}},
        {"Forbidden", {403, "Not allowed", "Problem", problem_type}},
        {"MethodNotAllowed",
         {405, "The path does not take this method", "Problem", problem_type, {"Allow"}}},
        {"RequestTimeout", {408, "The request came too slowly", "Problem", problem_type}},
        {"ContentTooLarge", {413, "The body is too large", "Problem", problem_type}},
        {"UriTooLong", {414, "The target is too long", "Problem", problem_type}},
        {"UnsupportedMediaType",
         {415, "The content type is not taken here", "Problem", problem_type}},
        {"ExpectationFailed", {417, "Unknown expectation", "Problem", problem_type}},
        {"HeaderTooLarge", {431, "The header is too large", "Problem", problem_type}},
        {"Internal", {500, "A defect of the server", "Problem", problem_type}},
        {"Busy", {503, "Busy or stopping; try again", "Problem", problem_type, {"Retry-After"}}},
        {"StoreFull",
         {507,
          "No space is left for the store; reads go on",
          "Problem",
          problem_type,
          {"Retry-After"}}},
    };
    return all;
}

bool is_shared_by(const route& one, int status) {
    if (status == 413 || status == 417) return one.body != body_kind::none;
    if (status == 415) return one.body != body_kind::none && one.body != body_kind::any;
    if (status == 401) return one.tag != "operation";
    if (status == 507)
        return one.method != verb::get && (one.tag == "events" || one.tag == "commands");
    return true;
}

/// The fields an answer has by its status and the kind of its route.
answer_spec with_fields(const route& one, answer_spec a) {
    const bool tagged = std::any_of(one.answers.begin(), one.answers.end(),
                                    [](const answer_spec& b) { return b.status == 304; });
    const bool writes =
        one.method == verb::post || one.method == verb::put || one.method == verb::delete_;
    if (writes && a.status < 300 && (one.tag == "events" || one.tag == "commands"))
        a.fields.emplace_back("FlexCore-Position");
    if (tagged && (a.status == 200 || a.status == 304)) {
        a.fields.emplace_back("ETag");
        if (one.tag == "queries" || one.tag == "read models") a.fields.emplace_back("Age");
    }
    if (one.idempotency_key && (a.status < 300 || a.status == 422))
        a.fields.emplace_back("Idempotent-Replay");
    if (a.status == 503 || a.status == 507) a.fields.emplace_back("Retry-After");
    return a;
}

bj::object responses_of(const route& one) {
    std::vector<std::pair<int, bj::object>> all;
    all.reserve(one.answers.size() + shared_answers().size());
    for (const answer_spec& a : one.answers)
        all.emplace_back(a.status, answer_of(with_fields(one, a),
                                             a.status == 200 ? one.line_answer_schema : ""));
    for (const auto& [name, spec] : shared_answers()) {
        const bool there =
            std::any_of(one.answers.begin(), one.answers.end(),
                        [&](const answer_spec& a) { return a.status == spec.status; });
        if (!there && is_shared_by(one, spec.status))
            all.emplace_back(spec.status, ref(name, "responses"));
    }
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    bj::object out;
    for (auto& [status, answer] : all) out[std::to_string(status)] = std::move(answer);
    return out;
}

// ---- operations ---------------------------------------------------------------------------------

bj::object operation_of(const route& one) {
    bj::object out{{"operationId", one.operation},
                   {"summary", one.summary},
                   {"tags", bj::array{one.tag}},
                   {"parameters", parameters_of(one)},
                   {"responses", responses_of(one)}};
    if (!one.description.empty()) out["description"] = one.description;
    if (!one.request_schema.empty()) {
        const std::string_view media = one.body == body_kind::any ? octets_type : json_type;
        bj::object content{{media, {{"schema", ref(one.request_schema)}}}};
        if (one.body == body_kind::json_or_ndjson)
            content[ndjson_type] = {{"schema", ref("Lines")},
                                    {"x-line-schema", ref(one.line_schema)}};
        out["requestBody"] = {{"required", one.body != body_kind::any},
                              {"content", std::move(content)}};
    }
    return out;
}

constexpr std::pair<std::string_view, std::string_view> tag_texts[] = {
    {"events", "The log: append events, read streams and the whole log, follow it."},
    {"commands", "What aggregates of plugins decide on; their events are durable when answered."},
    {"queries", "Answers from read models, cached while nothing they read has changed."},
    {"read models", "Rows that projections keep, by key or by indexed fields."},
    {"projections", "What keeps read models up to date from the log."},
    {"plugins", "Shared libraries with aggregates, projections and queries."},
    {"operation", "For who runs the server: health, metrics, this description."},
};

bj::array tags_of(const router& table) {
    bj::array out;
    for (const auto& [name, text] : tag_texts)
        out.push_back(bj::object{{"name", name}, {"description", text}});
    for (const auto& one : table.all())
        FLEXCORE_CHECK(std::any_of(std::begin(tag_texts), std::end(tag_texts),
                                   [&](const auto& tag) { return tag.first == one->tag; }));
    return out;
}

std::string lower(std::string_view text) {
    std::string out{text};
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
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
    bj::object responses;
    for (const auto& [name, spec] : shared_answers()) responses[name] = answer_of(spec);
    return bj::serialize(bj::object{
        {"openapi", "3.1.0"},
        {"info",
         {{"title", "FlexCore"},
          {"version", version},
          {"description", "An event-sourced application server: commands, queries, events."},
          {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
        {"servers", bj::array{bj::object{{"url", "/"}}}},
        {"security", bj::array{}},
        {"tags", tags_of(table)},
        {"paths", std::move(paths)},
        {"components",
         {{"schemas", bj::parse(bj::string_view{openapi_schemas()})},
          {"headers", header_components()},
          {"responses", std::move(responses)}}}});
}

}  // namespace flexcore::gateway

#include "gateway/query_params.hpp"

#include "base/json.hpp"
#include "gateway/body_reader.hpp"
#include "gateway/errc.hpp"
#include "gateway/query_args.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <array>

namespace flexcore::gateway {
namespace {

/// What a schema says about its top-level properties.
struct declared {
    std::vector<std::string> names;
    boost::json::object properties;
    bool open = true;  ///< other names are allowed
};

declared declared_by(const std::optional<schema>& given) {
    declared out;
    if (!given) return out;
    boost::system::error_code bad;
    const boost::json::value root = boost::json::parse(given->text(), bad);
    if (bad || !root.is_object()) return out;
    const boost::json::object& object = root.get_object();
    if (const auto* properties = object.if_contains("properties");
        properties != nullptr && properties->is_object()) {
        out.properties = properties->get_object();
        for (const auto& [name, unused] : out.properties) out.names.emplace_back(name);
    }
    // A name the schema does not know is a typing error unless the schema asks for others.
    out.open = object.contains("patternProperties") || (object.contains("additionalProperties") &&
                                                        object.at("additionalProperties") != false);
    return out;
}

std::string_view item_type(const declared& from, std::string_view name) {
    const auto* property = from.properties.if_contains(name);
    if (property == nullptr || !property->is_object()) return {};
    const auto* items = property->get_object().if_contains("items");
    if (items == nullptr || !items->is_object()) return {};
    const auto* type = items->get_object().if_contains("type");
    if (type == nullptr || !type->is_string()) return {};
    return type->get_string();
}

/// Appends `text` as a value of `type`; false when it is none.
bool append_value(std::string& out, std::string_view type, std::string_view text) {
    if (type == "integer" || type == "number") {
        const auto number = json::parse(text);
        if (!number || number->type() != json::kind::number || number->text != text) return false;
        if (type == "integer" && !number->integer() && !number->unsigned_integer()) return false;
        out += text;
        return true;
    }
    if (type == "boolean") {
        if (text != "true" && text != "false") return false;
        out += text;
        return true;
    }
    if (type == "null") {
        out += "null";
        return text == "null";
    }
    json::append_string(out, text);
    return true;
}

std::vector<std::string_view> split_commas(std::string_view text) {
    std::vector<std::string_view> out;
    if (text.empty()) return out;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        out.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return out;
}

std::string wrong_type(std::string_view type) { return "must be of type " + std::string{type}; }

}  // namespace

result<std::string> query_params_json(const bus::query_descriptor& query,
                                      const resolved_target& at) {
    const declared from = declared_by(query.params_schema);
    findings found{"The query parameters are not"};
    std::string out = "{";
    std::vector<std::string_view> done;
    for (const query_arg& arg : at.args) {
        if (arg.name == "min_position" || arg.name == "wait_ms") continue;
        if (std::find(done.begin(), done.end(), arg.name) != done.end()) continue;
        done.push_back(arg.name);
        const bool known = from.properties.contains(arg.name);
        if (!known && query.params_schema && !from.open) {
            std::vector<std::string_view> names{from.names.begin(), from.names.end()};
            names.insert(names.end(), {"min_position", "wait_ms"});
            return fail(gateway_errc::bad_request, unknown_arg(arg.name, names));
        }
        const std::string_view type =
            query.params_schema ? query.params_schema->property_type(arg.name) : std::string_view{};
        const auto count = std::count_if(at.args.begin(), at.args.end(), [&](const query_arg& one) {
            return one.name == arg.name;
        });
        if (count > 1 && type != "array")
            return fail(gateway_errc::bad_request,
                        "Query parameter \"" + arg.name + "\" stands twice.");
        if (out.size() > 1) out += ',';
        json::append_string(out, arg.name);
        out += ':';
        if (type != "array") {
            if (!append_value(out, type, arg.value))
                found.add(pointer_to("", arg.name), wrong_type(type));
            continue;
        }
        const std::string_view inner = item_type(from, arg.name);
        out += '[';
        bool first = true;
        for (const query_arg& one : at.args) {
            if (one.name != arg.name) continue;
            for (const std::string_view item : split_commas(one.value)) {
                if (!first) out += ',';
                first = false;
                if (!append_value(out, inner, item))
                    found.add(pointer_to("", arg.name),
                              "must be a list of type " + std::string{inner});
            }
        }
        out += ']';
    }
    out += '}';
    if (found.any()) return fail(found.to_error());
    return out;
}

}  // namespace flexcore::gateway

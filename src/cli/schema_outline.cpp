#include "cli/schema_outline.hpp"

#include <fmt/format.h>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace flexcore::cli {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

constexpr std::size_t values_shown_max = 12;
constexpr std::size_t refs_max = 16;  // one that leads to itself
constexpr std::size_t schemas_max = 10 * outline_rows_max;

const object* object_at(const object& in, std::string_view name) {
    const value* found = in.if_contains(name);
    return found == nullptr ? nullptr : found->if_object();
}
const array* array_at(const object& in, std::string_view name) {
    const value* found = in.if_contains(name);
    return found == nullptr ? nullptr : found->if_array();
}
std::string text_at(const object& in, std::string_view name) {
    const value* found = in.if_contains(name);
    if (found == nullptr) return {};
    if (const auto* text = found->if_string()) return {text->data(), text->size()};
    if (const auto* number = found->if_double()) return fmt::format("{}", *number);
    return boost::json::serialize(*found);
}

void add_part(std::string& to, std::string_view part, std::string_view between) {
    if (part.empty()) return;
    if (!to.empty()) to += between;
    to += part;
}

/// "at least 1", "1 to 9"; `unit` behind it when there is one.
std::string range_text(const std::string& least, const std::string& most, std::string_view unit) {
    std::string out;
    if (!least.empty() && !most.empty())
        out = least == most ? least : fmt::format("{} to {}", least, most);
    else if (!least.empty())
        out = "at least " + least;
    else if (!most.empty())
        out = "at most " + most;
    if (!out.empty() && !unit.empty()) out += fmt::format(" {}", unit);
    return out;
}

std::string one_of(const array& values) {
    std::string out;
    for (std::size_t i = 0; i < values.size() && i < values_shown_max; ++i)
        add_part(out, boost::json::serialize(values[i]), ", ");
    if (values.size() > values_shown_max) out += ", …";
    return "one of " + out;
}

std::string bounds_of(const object& schema) {
    std::string out;
    const auto add = [&](const std::string& part) { add_part(out, part, ", "); };
    if (const array* values = array_at(schema, "enum")) add(one_of(*values));
    if (schema.contains("const")) add("is " + boost::json::serialize(schema.at("const")));
    add(range_text(text_at(schema, "minimum"), text_at(schema, "maximum"), {}));
    if (const auto above = text_at(schema, "exclusiveMinimum"); !above.empty())
        add("above " + above);
    if (const auto below = text_at(schema, "exclusiveMaximum"); !below.empty())
        add("below " + below);
    if (const auto step = text_at(schema, "multipleOf"); !step.empty())
        add("a multiple of " + step);
    add(range_text(text_at(schema, "minLength"), text_at(schema, "maxLength"), "characters"));
    if (const auto format = text_at(schema, "format"); !format.empty()) add(format);
    if (const auto pattern = text_at(schema, "pattern"); !pattern.empty())
        add("matches " + pattern);
    add(range_text(text_at(schema, "minItems"), text_at(schema, "maxItems"), "elements"));
    if (text_at(schema, "uniqueItems") == "true") add("no two alike");
    add(range_text(text_at(schema, "minProperties"), text_at(schema, "maxProperties"), "members"));
    if (schema.contains("default")) add("default " + boost::json::serialize(schema.at("default")));
    return out;
}

bool requires_member(const object& schema, std::string_view name) {
    const array* names = array_at(schema, "required");
    return names != nullptr && std::ranges::any_of(*names, [&](const value& each) {
               const auto* text = each.if_string();
               return text != nullptr && std::string_view{*text} == name;
           });
}

class outline {
public:
    explicit outline(const object& root) : root_{root} {}

    std::vector<outline_row> run() {
        inside(resolved(root_), "", 0);
        if (left_out_) rows_.push_back({"…", "", false, "", "the rest is in the schema (--json)"});
        return std::move(rows_);
    }

private:
    /// What a schema within this document refers to; the schema itself when it refers to nothing
    /// that is there.
    [[nodiscard]] const object& resolved(const object& schema) const {
        const object* at = &schema;
        for (std::size_t steps = 0; steps < refs_max; ++steps) {
            const value* ref = at->if_contains("$ref");
            const auto* text = ref == nullptr ? nullptr : ref->if_string();
            if (text == nullptr || !text->starts_with('#')) return *at;
            const object* next = target(std::string_view{*text}.substr(1));
            if (next == nullptr) return *at;
            at = next;
        }
        return *at;
    }
    [[nodiscard]] const object* target(std::string_view pointer) const {
        const object* at = &root_;
        while (at != nullptr && !pointer.empty()) {
            if (pointer.front() != '/') return nullptr;
            const auto end = std::min(pointer.find('/', 1), pointer.size());
            at = object_at(*at, pointer.substr(1, end - 1));
            pointer.remove_prefix(end);
        }
        return at;
    }

    [[nodiscard]] std::string type_of(const object& schema) const {
        std::string out;
        if (const array* types = array_at(schema, "type")) {
            for (const value& each : *types)
                if (const auto* name = each.if_string())
                    add_part(out, std::string_view{*name}, " or ");
            return out;
        }
        out = text_at(schema, "type");
        if (!out.empty()) return out;
        for (const char* word : {"anyOf", "oneOf"}) {
            const array* ways = array_at(schema, word);
            if (ways == nullptr) continue;
            std::vector<std::string> seen;
            for (const value& each : *ways) {
                const object* way = each.if_object();
                if (way == nullptr) continue;
                const object& one = resolved(*way);
                std::string name = text_at(one, "title");
                if (name.empty()) name = text_at(one, "type");
                if (name.empty() || std::ranges::find(seen, name) != seen.end()) continue;
                add_part(out, name, " or ");
                seen.push_back(std::move(name));
            }
        }
        if (!out.empty()) return out;
        if (schema.contains("properties")) return "object";
        if (schema.contains("items")) return "array";
        return out;
    }

    void add(const std::string& path, const object& schema, bool required, std::size_t depth) {
        if (rows_.size() >= outline_rows_max) {
            left_out_ = true;
            return;
        }
        const object& what = resolved(schema);
        // Beside a $ref only the description is this place's own.
        std::string description = text_at(schema, "description");
        if (description.empty()) description = text_at(what, "description");
        rows_.push_back({path, type_of(what), required, bounds_of(what), std::move(description)});
        inside(what, path, depth);
    }

    /// What lies below a value: members, elements, and those of the alternatives.
    void inside(const object& schema, const std::string& path, std::size_t depth) {
        if (!has_parts(schema)) return;
        if (depth >= outline_depth_max || ++looked_at_ > schemas_max) {
            left_out_ = true;
            return;
        }
        members(schema, path, depth);
        elements(schema, path, depth);
        for (const char* word : {"allOf", "anyOf", "oneOf"})
            if (const array* parts = array_at(schema, word))
                for (const value& each : *parts)
                    if (const object* part = each.if_object())
                        inside(resolved(*part), path, depth + 1);
    }
    static bool has_parts(const object& schema) {
        return std::ranges::any_of(
            std::array{"properties", "additionalProperties", "items", "allOf", "anyOf", "oneOf"},
            [&](const char* word) { return schema.contains(word); });
    }
    void members(const object& schema, const std::string& path, std::size_t depth) {
        const std::string before = path.empty() ? "" : path + ".";
        if (const object* properties = object_at(schema, "properties")) {
            for (const auto& [name, about] : *properties) {
                const object* known = about.if_object();
                const std::string at = before + std::string{std::string_view{name}};
                // Alternatives may name one member twice; the first says it.
                if (std::ranges::find(rows_, at, &outline_row::path) != rows_.end()) continue;
                add(at, known == nullptr ? nothing() : *known, requires_member(schema, name),
                    depth + 1);
            }
        }
        if (const object* others = object_at(schema, "additionalProperties"))
            add(before + "*", *others, false, depth + 1);
    }
    void elements(const object& schema, const std::string& path, std::size_t depth) {
        const std::string at = path + "[]";
        if (const object* items = object_at(schema, "items")) {
            element(at, *items, depth);
        } else if (const array* places = array_at(schema, "items")) {
            for (std::size_t i = 0; i < places->size(); ++i)
                if (const object* one = (*places)[i].if_object())
                    element(fmt::format("{}[{}]", path, i), *one, depth);
        }
    }
    void element(const std::string& at, const object& schema, std::size_t depth) {
        const object& what = resolved(schema);
        if (what.contains("properties") && bounds_of(what).empty() &&
            text_at(schema, "description").empty())
            return inside(what, at, depth + 1);
        add(at, schema, false, depth + 1);
    }

    static const object& nothing() {
        static const object none;
        return none;
    }

    const object& root_;
    std::vector<outline_row> rows_;
    std::size_t looked_at_ = 0;
    bool left_out_ = false;
};

}  // namespace

std::vector<outline_row> outline_of(const object& schema) { return outline{schema}.run(); }

}  // namespace flexcore::cli

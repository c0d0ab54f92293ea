#include "schema/schema.hpp"

#include "base/check.hpp"
#include "base/json.hpp"
#include "schema/explain.hpp"
#include "schema/leaf.hpp"
#include "schema/rewrite.hpp"
#include "schema/value_adapter.hpp"

#include <valijson/constraint_builder.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include <deque>
#include <exception>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace flexcore {
namespace {

namespace bj = boost::json;
using namespace schema_detail;

constexpr std::size_t violations_max = 20;
/// Entries of valijson's list of errors before the walk is broken off: a large array of wrong
/// elements must not become a list many times its size.
constexpr std::size_t errors_max = 2000;

/// Thrown inside `explained` alone: valijson offers no other way to end a walk.
struct enough_errors {};

class leaf_constraint final : public valijson::constraints::PolyConstraint {
public:
    explicit leaf_constraint(const leaf& l) : leaf_{&l} {}

    bool validate(const valijson::adapters::Adapter& target,
                  const std::vector<std::string>& context,
                  valijson::ValidationResults* results) const override {
        const bj::value& value = static_cast<const value_adapter&>(target).json();
        if (results == nullptr) return passes(*leaf_, value, nullptr);
        if (results->numErrors() > errors_max) throw enough_errors{};
        std::vector<finding> findings;
        if (passes(*leaf_, value, &findings)) return true;
        for (const finding& f : findings) {
            auto where = context;
            if (f.member) where.push_back('[' + *f.member + ']');
            results->pushError(where, finding_mark + f.detail);
            if (results->numErrors() > errors_max) throw enough_errors{};
        }
        return false;
    }

private:
    valijson::constraints::Constraint* cloneInto(void* place) const override {
        return new (place) leaf_constraint{*this};
    }
    std::size_t sizeOf() const override { return sizeof(leaf_constraint); }

    const leaf* leaf_;
};

class leaf_builder final : public valijson::ConstraintBuilder {
public:
    explicit leaf_builder(const std::deque<leaf>& leaves) : leaves_{leaves} {}
    valijson::constraints::Constraint* make(
        const valijson::adapters::Adapter& number) const override {
        return new leaf_constraint{leaves_[std::stoul(number.asString())]};
    }

private:
    const std::deque<leaf>& leaves_;
};

std::unique_ptr<const valijson::Schema> parsed(const rewritten& r, std::size_t number) {
    auto out = std::make_unique<valijson::Schema>();
    valijson::SchemaParser parser{valijson::SchemaParser::kDraft7};
    parser.addConstraintBuilder(std::string{leaf_keyword}, new leaf_builder{r.leaves});
    const bj::value document = document_for(r, number);
    parser.populateSchema(value_adapter{document}, *out);
    return out;
}

bool accepts(const valijson::Schema& schema, const bj::value& value) {
    // Its only member is a cache of regular expressions, which stays empty: none reaches it.
    valijson::Validator validator;
    return validator.validate(schema, value_adapter{value}, nullptr);
}

std::vector<violation> explained(const valijson::Schema& schema, const bj::value& value) {
    valijson::ValidationResults results;
    try {
        valijson::Validator validator;
        (void)validator.validate(schema, value_adapter{value}, &results);
    } catch (const enough_errors&) {
        // What has been found is more than is shown.
    }
    auto out = explain(results, violations_max);
    if (out.empty()) out.push_back({"", "does not match the schema"});
    return out;
}

/// The types that top-level properties declare; "integer or null" counts as integer.
std::map<std::string, std::string, std::less<>> types_of_properties(const bj::value& root) {
    std::map<std::string, std::string, std::less<>> out;
    const auto* properties =
        root.is_object() ? root.get_object().if_contains("properties") : nullptr;
    if (properties == nullptr || !properties->is_object()) return out;
    for (const auto& m : properties->get_object()) {
        const bj::value* type = &m.value();
        // Compiled before: a chain of references has an end, and each points into this text.
        while (type != nullptr && type->is_object() && type->get_object().contains("$ref"))
            type = referred(root, type->get_object().at("$ref"));
        type =
            type != nullptr && type->is_object() ? type->get_object().if_contains("type") : nullptr;
        if (type == nullptr) continue;
        std::vector<std::string> names;
        for (const auto& name : type->is_array() ? type->get_array() : bj::array{*type})
            if (name != "null") names.emplace_back(name.as_string());
        if (names.size() == 1) out.emplace(m.key(), std::move(names.front()));
    }
    return out;
}

}  // namespace

struct schema::state {
    std::string text;
    rewritten compiled;  // its leaves are pointed to by the walks
    std::unique_ptr<const valijson::Schema> walk;
    std::vector<std::unique_ptr<const valijson::Schema>> name_walks;
    std::map<std::string, std::string, std::less<>> property_types;
};

result<schema> schema::compile(std::string_view text) {
    auto root = json::to_value(text);
    if (!root)
        return fail(schema_errc::invalid_schema, "the schema is not JSON: " + root.error().client);
    refusal why_not;
    auto compiled = rewrite(*root, why_not);
    if (!compiled)
        return fail(schema_errc::invalid_schema,
                    "schema at \"" + why_not.pointer + "\": " + why_not.why);
    auto made = std::make_shared<state>();
    made->text = text;
    made->compiled = std::move(*compiled);
    made->property_types = types_of_properties(*root);
    try {
        made->walk = parsed(made->compiled, 0);
        for (leaf& l : made->compiled.leaves) {
            if (!l.names_schema) continue;
            made->name_walks.push_back(parsed(made->compiled, *l.names_schema));
            l.name_accepted = [walk = made->name_walks.back().get()](const bj::value& name) {
                return accepts(*walk, name);
            };
        }
    } catch (const std::exception& e) {
        return fail(schema_errc::invalid_schema, "the schema cannot be compiled", e.what());
    }
    schema out;
    out.state_ = std::move(made);
    return out;
}

std::vector<violation> schema::validate(const bj::value& value) const {
    // Nearly every value is valid: that answer needs no list of errors.
    if (accepts(*state_->walk, value)) return {};
    return explained(*state_->walk, value);
}

const std::string& schema::text() const noexcept { return state_->text; }

std::string_view schema::property_type(std::string_view name) const noexcept {
    const auto found = state_->property_types.find(name);
    return found == state_->property_types.end() ? std::string_view{} : found->second;
}

error violations_to_error(const std::vector<violation>& violations, std::string_view prefix) {
    bj::array errors;
    for (const violation& v : violations)
        errors.push_back({{"pointer", std::string{prefix} + v.pointer}, {"detail", v.detail}});
    std::string client = "the value breaks its schema";
    if (!violations.empty()) {
        const std::string at = std::string{prefix} + violations.front().pointer;
        client = (at.empty() ? "the value" : at) + " " + violations.front().detail;
    }
    return error{make_error_code(schema_errc::invalid_value), std::move(client)}.with(
        "errors", std::move(errors));
}

}  // namespace flexcore

#include "gateway/body_reader.hpp"

#include "base/names.hpp"
#include "base/nearest.hpp"
#include "gateway/errc.hpp"
#include "gateway/query_args.hpp"

#include <boost/json/array.hpp>

namespace flexcore::gateway {
namespace {

constexpr std::size_t findings_max = 20;
constexpr std::size_t clauses_max = 100;
constexpr std::size_t clause_names_max = 1000;

std::vector<std::string> read_names(object_reader& from, std::string_view name) {
    std::vector<std::string> out;
    const auto list = from.array(name, 0, clause_names_max);
    if (!list) return out;
    for (std::size_t i = 0; i < list->size(); ++i) {
        const json::slice one = (*list)[i];
        std::string text = one.type() == json::kind::string ? one.string() : std::string{};
        if (!is_name(text)) {
            from.bad(std::string{name} + '/' + std::to_string(i), name_rule);
            continue;
        }
        out.push_back(std::move(text));
    }
    return out;
}

store::selector_clause read_clause(json::slice value, const std::string& pointer, findings& found) {
    object_reader from{value, pointer, found};
    store::selector_clause out;
    out.types = read_names(from, "types");
    out.tags = read_names(from, "tags");
    out.categories = read_names(from, "categories");
    if (auto prefix = from.text("stream_prefix")) {
        if (!prefix->empty() && !is_stream_name(*prefix))
            from.bad("stream_prefix", "is not how a stream begins");
        out.stream_prefix = std::move(*prefix);
    }
    from.finish();
    return out;
}

}  // namespace

void findings::add(std::string pointer, std::string detail) {
    if (!full()) list_.emplace_back(std::move(pointer), std::move(detail));
}

bool findings::full() const noexcept { return list_.size() >= findings_max; }

error findings::to_error() const {
    boost::json::array errors;
    for (const auto& [pointer, detail] : list_)
        errors.push_back(boost::json::object{{"pointer", pointer}, {"detail", detail}});
    std::string text{subject_};
    text += " what this call takes";
    if (!list_.empty()) {
        const auto& [pointer, detail] = list_.front();
        text += ": ";
        text += pointer.empty() ? std::string{"it"} : pointer;
        text += ' ';
        text += detail;
    }
    text += '.';
    return error{make_error_code(gateway_errc::validation_failed), std::move(text)}.with(
        "errors", std::move(errors));
}

std::string pointer_to(std::string_view base, std::string_view member) {
    std::string out{base};
    out += '/';
    for (const char c : member) {
        if (c == '~')
            out += "~0";
        else if (c == '/')
            out += "~1";
        else
            out += c;
    }
    return out;
}

std::string pointer_to(std::string_view base, std::size_t index) {
    return std::string{base} + '/' + std::to_string(index);
}

object_reader::object_reader(json::slice value, std::string pointer, findings& found)
    : pointer_{std::move(pointer)}, found_{found} {
    if (value.type() != json::kind::object) {
        found_.add(pointer_, "must be an object");
        return;
    }
    json::members_of(value, members_);
    taken_.assign(members_.size(), false);
}

std::optional<json::slice> object_reader::take(std::string_view name) {
    asked_.push_back(name);
    for (std::size_t i = 0; i < members_.size(); ++i) {
        if (!members_[i].named(name)) continue;
        taken_[i] = true;
        return members_[i].value;
    }
    return std::nullopt;
}

std::optional<json::slice> object_reader::require(std::string_view name) {
    auto value = take(name);
    if (!value) found_.add(pointer(name), "is needed");
    return value;
}

std::optional<std::string> object_reader::text(std::string_view name) {
    const auto value = take(name);
    if (!value) return std::nullopt;
    if (value->type() == json::kind::string) return value->string();
    bad(name, "must be a string");
    return std::nullopt;
}

std::optional<std::string> object_reader::require_text(std::string_view name) {
    const auto value = require(name);
    if (!value) return std::nullopt;
    if (value->type() == json::kind::string) return value->string();
    bad(name, "must be a string");
    return std::nullopt;
}

std::optional<std::vector<json::slice>> object_reader::array(std::string_view name,
                                                             std::size_t least, std::size_t most) {
    const auto value = take(name);
    if (!value) {
        if (least > 0) bad(name, "is needed");
        return std::nullopt;
    }
    if (value->type() != json::kind::array) {
        bad(name, "must be an array");
        return std::nullopt;
    }
    std::vector<json::slice> out;
    json::elements_of(*value, out);
    if (out.size() < least || out.size() > most) {
        bad(name,
            "must have " + std::to_string(least) + " to " + std::to_string(most) + " elements");
        return std::nullopt;
    }
    return out;
}

void object_reader::finish() {
    for (std::size_t i = 0; i < members_.size(); ++i) {
        if (taken_[i]) continue;
        // Beyond the bound nobody reads them, and guessing is work that a client could ask for.
        if (found_.full()) return;
        const std::string name = members_[i].name();
        bad(name, "is unknown here" + did_you_mean(name, asked_));
    }
}

std::optional<store::expected_version> read_expected_version(json::slice value) {
    using rule = store::expected_version::rule;
    if (value.type() == json::kind::number) {
        const auto number = value.unsigned_integer();
        if (!number || *number > position_max) return std::nullopt;
        if (*number == 0) return store::expected_version{rule::none, 0};
        return store::expected_version{rule::exact, *number};
    }
    if (value.type() != json::kind::string) return std::nullopt;
    std::string scratch;
    const std::string_view text = value.string(scratch);
    if (text == "any") return store::expected_version{rule::any, 0};
    if (text == "none") return store::expected_version{rule::none, 0};
    if (text == "exists") return store::expected_version{rule::exists, 0};
    return std::nullopt;
}

std::optional<store::position> read_position(json::slice value) {
    if (value.type() == json::kind::number) {
        const auto number = value.unsigned_integer();
        if (!number || *number > position_max) return std::nullopt;
        return number;
    }
    if (value.type() != json::kind::string) return std::nullopt;
    const auto parsed = parse_position(value.string(), "position");
    if (!parsed) return std::nullopt;
    return *parsed;
}

store::selector read_selector(json::slice value, const std::string& pointer, findings& found) {
    store::selector out;
    if (value.type() != json::kind::array) {
        out.push_back(read_clause(value, pointer, found));
        return out;
    }
    std::vector<json::slice> clauses;
    json::elements_of(value, clauses);
    if (clauses.empty() || clauses.size() > clauses_max)
        found.add(pointer, "must have 1 to " + std::to_string(clauses_max) + " elements");
    else
        for (std::size_t i = 0; i < clauses.size(); ++i)
            out.push_back(read_clause(clauses[i], pointer_to(pointer, i), found));
    return out;
}

std::string_view read_metadata(json::slice value, const std::string& pointer, findings& found) {
    if (value.type() != json::kind::object) {
        found.add(pointer, "must be an object");
        return {};
    }
    std::vector<json::member> members;
    json::members_of(value, members);
    for (const std::string_view reserved : {"principal", "tenant"})
        for (const json::member& one : members)
            if (one.named(reserved))
                found.add(pointer_to(pointer, reserved), "is set by the server");
    return value.text;
}

}  // namespace flexcore::gateway

#include "plugin/loading/catalogue.hpp"

#include "base/json.hpp"
#include "base/names.hpp"
#include "plugin/plugin_host.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <set>

namespace flexcore::plugin {
namespace {

constexpr std::size_t entries_max = 1'000;  // of one list
constexpr std::size_t shown_before = 60, shown_behind = 20;

/// Inside of the parser only: ends it with the place and the reason.
struct malformed {
    std::string where;
    std::string why;
};

std::string child(const std::string& where, std::string_view name) {
    return where.empty() ? std::string{name} : fmt::format("{}.{}", where, name);
}
std::string child(const std::string& where, std::size_t index) {
    return fmt::format("{}[{}]", where, index);
}

/// A value and where it stands; asks for a shape and complains with the place.
class node {
public:
    node(std::string where, json::slice value) : where_{std::move(where)}, value_{value} {}

    [[noreturn]] void complain(std::string why) const { throw malformed{where_, std::move(why)}; }
    [[nodiscard]] const json::slice& value() const noexcept { return value_; }

    [[nodiscard]] std::string text() const {
        if (value_.type() != json::kind::string) complain("must be a string");
        return value_.string();
    }
    [[nodiscard]] std::string name() const {
        auto value = text();
        if (!is_name(value))
            complain("is not a name ([A-Za-z0-9][A-Za-z0-9_.:/-]*, up to 255 bytes)");
        return value;
    }
    [[nodiscard]] bool boolean() const {
        const auto value = value_.boolean();
        if (!value) complain("must be true or false");
        return *value;
    }
    [[nodiscard]] std::uint32_t version() const {
        const auto value = value_.unsigned_integer();
        if (!value || *value == 0 || *value > std::numeric_limits<std::int32_t>::max())
            complain("must be an integer from 1 on");
        return static_cast<std::uint32_t>(*value);
    }
    /// `of` names the command, event or query it belongs to: indexes are nothing an author wrote.
    [[nodiscard]] schema schema_text(std::string_view of) const {
        auto compiled = schema::compile(value_.text);
        if (!compiled) complain(fmt::format("{} (of {})", compiled.error().client, of));
        return *std::move(compiled);
    }
    [[nodiscard]] std::vector<node> elements() const {
        if (value_.type() != json::kind::array) complain("must be an array");
        std::vector<json::slice> slices;
        json::elements_of(value_, slices);
        if (slices.size() > entries_max)
            complain(fmt::format("must not hold more than {} entries", entries_max));
        std::vector<node> nodes;
        nodes.reserve(slices.size());
        for (std::size_t i = 0; i < slices.size(); ++i)
            nodes.emplace_back(child(where_, i), slices[i]);
        return nodes;
    }
    /// Names, none twice.
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> found;
        for (const auto& element : elements()) {
            auto name = element.name();
            if (std::ranges::find(found, name) != found.end())
                element.complain(fmt::format("\"{}\" stands there twice", name));
            found.push_back(std::move(name));
        }
        return found;
    }

private:
    friend class object;
    std::string where_;
    json::slice value_;
};

/// An object's members; `finish` refuses those nobody asked for.
class object {
public:
    explicit object(const node& from) : where_{from.where_} {
        if (from.value_.type() != json::kind::object) from.complain("must be an object");
        json::members_of(from.value_, members_);
        taken_.resize(members_.size());
    }
    [[nodiscard]] std::optional<node> find(std::string_view name) {
        for (std::size_t i = 0; i < members_.size(); ++i) {
            if (!members_[i].named(name)) continue;
            taken_[i] = true;
            return node{child(where_, name), members_[i].value};
        }
        return std::nullopt;
    }
    [[nodiscard]] node require(std::string_view name) {
        auto found = find(name);
        if (!found) throw malformed{where_, fmt::format("\"{}\" is missing", name)};
        return *std::move(found);
    }
    void finish() const {
        for (std::size_t i = 0; i < members_.size(); ++i)
            if (!taken_[i])
                throw malformed{where_, fmt::format("unknown member \"{}\"", members_[i].name())};
    }

private:
    std::string where_;
    std::vector<json::member> members_;
    std::vector<bool> taken_;
};

/// Reads members that may be absent into their place.
template <class T, class Read>
void optional_member(object& from, std::string_view name, T& to, Read read) {
    if (const auto found = from.find(name)) to = read(*found);
}
const auto as_text = [](const node& n) { return n.text(); };
const auto as_names = [](const node& n) { return n.names(); };
const auto as_version = [](const node& n) { return n.version(); };
const auto as_boolean = [](const node& n) { return n.boolean(); };
const auto as_schema_of = [](const std::string& name) {
    return [&name](const node& n) { return std::optional{n.schema_text(name)}; };
};

/// Every query takes these by itself: a parameter of the same name would never reach the plugin.
void refuse_reserved_parameters(const node& schema) {
    if (schema.value().type() != json::kind::object) return;
    std::vector<json::member> members;
    std::vector<json::member> properties;
    json::members_of(schema.value(), members);
    for (const auto& member : members)
        if (member.named("properties") && member.value.type() == json::kind::object)
            json::members_of(member.value, properties);
    for (const auto& property : properties)
        for (const std::string_view reserved : {"min_position", "wait_ms"})
            if (property.named(reserved))
                schema.complain(
                    fmt::format("\"{}\" is the name of a parameter of every query", reserved));
}

/// One namespace of the catalogue: no name twice.
class unique_names {
public:
    void add(const node& at, const std::string& name) {
        if (!seen_.insert(name).second) at.complain(fmt::format("\"{}\" is declared twice", name));
    }

private:
    std::set<std::string> seen_;
};

template <class Entry, class Read>
std::vector<Entry> list(object& from, std::string_view name, Read read) {
    std::vector<Entry> entries;
    if (const auto found = from.find(name))
        for (const auto& element : found->elements()) {
            object members{element};
            entries.push_back(read(members));
            members.finish();
        }
    return entries;
}

store::selector_clause read_clause(const node& from) {
    store::selector_clause clause;
    object members{from};
    optional_member(members, "types", clause.types, as_names);
    optional_member(members, "tags", clause.tags, as_names);
    optional_member(members, "categories", clause.categories, as_names);
    optional_member(members, "stream_prefix", clause.stream_prefix, as_text);
    members.finish();
    return clause;
}

store::selector read_selector(const node& from) {
    if (from.value().type() != json::kind::array) return {read_clause(from)};
    store::selector clauses;
    for (const auto& element : from.elements()) clauses.push_back(read_clause(element));
    return clauses;
}

class reader {
public:
    catalogue read(const node& root) {
        catalogue all;
        object members{root};
        all.aggregates = list<aggregate_entry>(members, "aggregates",
                                               [&](object& from) { return aggregate(from); });
        all.read_models = list<store::model_spec>(members, "read_models",
                                                  [&](object& from) { return read_model(from); });
        all.projections = list<projection_entry>(
            members, "projections", [&](object& from) { return projection(from, all); });
        all.queries =
            list<query_entry>(members, "queries", [&](object& from) { return query(from); });
        members.finish();
        for (const auto& model : all.read_models)
            if (!writers_.contains(model.name))
                throw malformed{"read_models",
                                fmt::format("no projection writes \"{}\"", model.name)};
        return all;
    }

private:
    aggregate_entry aggregate(object& from) {
        aggregate_entry entry;
        const node category = from.require("category");
        entry.category = category.name();
        if (entry.category.contains('-'))
            category.complain("must not contain '-', which ends the category in a stream's name");
        categories_.add(category, entry.category);
        optional_member(from, "reducer_version", entry.reducer_version, as_version);
        entry.commands = list<command_entry>(from, "commands", [&](object& in) {
            command_entry command;
            const node type = in.require("type");
            command.type = type.name();
            commands_.add(type, command.type);
            optional_member(in, "description", command.description, as_text);
            optional_member(in, "schema", command.data_schema, as_schema_of(command.type));
            return command;
        });
        unique_names events;
        entry.events = list<event_entry>(from, "events", [&](object& in) {
            event_entry event;
            const node type = in.require("type");
            event.type = type.name();
            events.add(type, event.type);
            optional_member(in, "schema_version", event.schema_version, as_version);
            optional_member(in, "description", event.description, as_text);
            optional_member(in, "schema", event.data_schema, as_schema_of(event.type));
            return event;
        });
        return entry;
    }

    store::model_spec read_model(object& from) {
        store::model_spec model;
        const node name = from.require("name");
        model.name = name.name();
        models_.add(name, model.name);
        optional_member(from, "indexed", model.indexed, as_names);
        if (const auto description = from.find("description")) (void)description->text();
        return model;
    }

    projection_entry projection(object& from, const catalogue& all) {
        projection_entry entry;
        const node name = from.require("name");
        entry.name = name.name();
        projections_.add(name, entry.name);
        entry.version = from.require("version").version();
        entry.selector = read_selector(from.require("selector"));
        if (const auto mode = from.find("mode")) {
            const auto text = mode->text();
            if (text != "async" && text != "inline") mode->complain("must be async or inline");
            entry.inline_mode = text == "inline";
        }
        const node writes = from.require("writes");
        entry.writes = writes.names();
        for (const auto& model : entry.writes) {
            if (all.read_model(model) == nullptr)
                writes.complain(fmt::format("\"{}\" is not declared in read_models", model));
            if (!writers_.insert(model).second)
                writes.complain(fmt::format("another projection writes \"{}\" already", model));
        }
        return entry;
    }

    query_entry query(object& from) {
        query_entry entry;
        const node name = from.require("name");
        entry.name = name.name();
        queries_.add(name, entry.name);
        optional_member(from, "description", entry.description, as_text);
        if (const auto schema = from.find("schema")) {
            refuse_reserved_parameters(*schema);
            entry.params_schema = schema->schema_text(entry.name);
        }
        optional_member(from, "reads", entry.reads, as_names);
        optional_member(from, "cache", entry.cache, as_boolean);
        if (const auto varies = from.find("varies_by"))
            for (const auto& element : varies->elements()) {
                if (element.text() != "principal") element.complain("only \"principal\" is known");
                entry.varies_by_principal = true;
            }
        return entry;
    }

    unique_names categories_, commands_, models_, projections_, queries_;
    std::set<std::string> writers_;
};

/// The value of the last `"type":"…"` or `"name":"…"` in the text; empty when there is none.
std::string_view last_name(std::string_view text) {
    std::size_t begin = 0;
    for (const std::string_view key : {R"("type":")", R"("name":")"})
        if (const auto at = text.rfind(key); at != text.npos)
            begin = std::max(begin, at + key.size());
    return begin == 0 ? std::string_view{} : text.substr(begin, text.find('"', begin) - begin);
}

/// Where a text that is no JSON breaks off, for an author who has only seen the parts it was made
/// of: what stands before and behind, and whose schema it is. `why` begins with "byte N".
std::string surroundings(std::string_view text, std::string_view why) {
    std::size_t byte = 0;
    constexpr std::string_view begin = "byte ";
    if (!why.starts_with(begin)) return {};
    std::from_chars(why.data() + begin.size(), why.data() + why.size(), byte);
    byte = std::min(byte, text.size());
    const std::size_t from = byte - std::min(byte, shown_before);
    std::string out =
        fmt::format("; it reads {}{} <here>{}{}{}", from == 0 ? "" : "…",
                    text.substr(from, byte - from), byte == text.size() ? "" : " ",
                    text.substr(byte, shown_behind), byte + shown_behind < text.size() ? "…" : "");
    const auto schema = text.substr(0, byte).rfind(R"("schema":)");
    if (schema != text.npos)
        if (const auto name = last_name(text.substr(0, schema)); !name.empty())
            out += fmt::format("; look at the schema of {}", name);
    return to_utf8(out);  // it may be cut within a character, or be no text at all
}

std::optional<std::string_view> missing_interface(const catalogue& all, const library_info& info) {
    if (!all.aggregates.empty() && !info.offers(FXC_AGGREGATE) &&
        !info.offers(FXC_AGGREGATE_NATIVE))
        return FXC_AGGREGATE;
    if (!all.projections.empty() && !info.offers(FXC_PROJECTION)) return FXC_PROJECTION;
    if (!all.queries.empty() && !info.offers(FXC_QUERY_HANDLER)) return FXC_QUERY_HANDLER;
    return std::nullopt;
}

}  // namespace

const event_entry* aggregate_entry::event(std::string_view type) const noexcept {
    const auto found = std::ranges::find(events, type, &event_entry::type);
    return found == events.end() ? nullptr : &*found;
}

const store::model_spec* catalogue::read_model(std::string_view name) const noexcept {
    const auto found = std::ranges::find(read_models, name, &store::model_spec::name);
    return found == read_models.end() ? nullptr : &*found;
}

result<catalogue> catalogue::parse(const library_info& info) {
    const std::string_view text = info.catalogue.empty() ? std::string_view{"{}"} : info.catalogue;
    const auto root = json::parse(text);
    if (!root)
        return fail(plugin_errc::bad_catalogue,
                    fmt::format("bad catalogue: {}{}", root.error().client,
                                surroundings(text, root.error().client)));
    try {
        auto all = reader{}.read(node{"", *root});
        if (const auto missing = missing_interface(all, info))
            return fail(
                plugin_errc::bad_catalogue,
                fmt::format("bad catalogue: what it declares needs the interface {}", *missing));
        return all;
    } catch (const malformed& e) {
        return fail(plugin_errc::bad_catalogue, fmt::format("bad catalogue: {}{}{}", e.where,
                                                            e.where.empty() ? "" : ": ", e.why));
    }
}

}  // namespace flexcore::plugin

#include "schema/rewrite.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace flexcore::schema_detail {
namespace {

namespace bj = boost::json;

/// Of later drafts: ignoring them would let values pass that the author means to refuse.
constexpr std::array later_keywords{
    std::string_view{"$anchor"},          std::string_view{"$dynamicAnchor"},
    std::string_view{"$dynamicRef"},      std::string_view{"$recursiveAnchor"},
    std::string_view{"$recursiveRef"},    std::string_view{"dependentRequired"},
    std::string_view{"dependentSchemas"}, std::string_view{"maxContains"},
    std::string_view{"minContains"},      std::string_view{"prefixItems"},
    std::string_view{"unevaluatedItems"}, std::string_view{"unevaluatedProperties"}};

constexpr std::array draft_uris{std::string_view{"http://json-schema.org/draft-07/schema"},
                                std::string_view{"http://json-schema.org/draft-07/schema#"},
                                std::string_view{"https://json-schema.org/draft-07/schema"},
                                std::string_view{"https://json-schema.org/draft-07/schema#"}};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
}

std::string_view text_of(bj::string_view s) { return {s.data(), s.size()}; }

/// The fragment of a URI with its %xx taken back; empty optional when one is broken.
std::optional<std::string> percent_decoded(std::string_view text) {
    const auto hex = [](char c) {
        if (c >= '0' && c <= '9') return c - '0';
        c = static_cast<char>(c | 0x20);
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    };
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        if (i + 2 >= text.size() || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0)
            return std::nullopt;
        out += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
        i += 2;
    }
    return out;
}

const bj::value* find(const bj::value& root, const std::string& pointer) {
    boost::system::error_code none;
    return root.find_pointer(pointer, none);
}

/// The JSON pointer of "#/definitions/a"; empty optional for anything but a local one.
std::optional<std::string> local_pointer(const bj::value& ref) {
    if (!ref.is_string() || !text_of(ref.get_string()).starts_with('#')) return std::nullopt;
    auto pointer = percent_decoded(text_of(ref.get_string()).substr(1));
    if (pointer && !pointer->empty() && pointer->front() != '/') return std::nullopt;
    return pointer;
}

class rewriter {
public:
    rewriter(const bj::value& root, refusal& why_not) : root_{root}, why_not_{why_not} {}

    std::optional<rewritten> run() {
        (void)entry_for("");
        // Rewriting an entry may name new ones.
        for (std::size_t i = 0; i < entries_.size() && !refused_; ++i) {
            const std::string pointer = entries_[i];
            const bj::value* node = find(root_, pointer);
            if (node == nullptr) {
                refuse(pointer, "is referred to but does not exist");
                break;
            }
            here_ = i;
            out_.table.emplace(std::to_string(i), schema(*node, pointer, true));
        }
        if (!refused_) refuse_endless();
        if (refused_) return std::nullopt;
        return std::move(out_);
    }

private:
    /// What one schema object becomes.
    struct target {
        const bj::object& node;
        bj::object out;
        leaf checks;
        bool has_checks = false;
        bool in_place;  ///< it is applied to the same value as the table entry it stands in
    };

    void refuse(std::string pointer, std::string why) {
        if (std::exchange(refused_, true)) return;  // the first one is what the author mends
        why_not_ = {std::move(pointer), std::move(why)};
    }

    /// The table's number for the schema at `pointer`.
    std::size_t entry_for(const std::string& pointer) {
        const auto [found, fresh] = number_of_.try_emplace(pointer, entries_.size());
        if (fresh) entries_.push_back(pointer);
        return found->second;
    }

    bj::object reference(std::size_t number, bool in_place) {
        if (in_place) applied_in_place_[here_].insert(number);
        return {{"$ref", "#/" + std::string{table_keyword} + "/" + std::to_string(number)}};
    }

    std::string put(leaf l) {
        out_.leaves.push_back(std::move(l));
        return std::to_string(out_.leaves.size() - 1);
    }

    bj::object schema(const bj::value& node, const std::string& at, bool in_place) {
        if (const auto* verdict = node.if_bool()) {
            if (*verdict) return {};
            leaf never;
            never.never = true;
            return {{leaf_keyword, put(std::move(never))}};
        }
        const auto* object = node.if_object();
        if (object == nullptr) {
            refuse(at, "must be a schema: an object or a boolean");
            return {};
        }
        // Draft 7 ignores what stands beside a $ref.
        if (const auto* ref = object->if_contains("$ref"))
            return resolved(*ref, pointer_to(at, "$ref"), in_place);
        target t{*object, {}, {}, false, in_place};
        for (const auto& m : *object) keyword(t, text_of(m.key()), m.value(), at);
        if (t.has_checks) t.out.emplace(leaf_keyword, put(std::move(t.checks)));
        return std::move(t.out);
    }

    bj::object resolved(const bj::value& ref, const std::string& at, bool in_place) {
        const auto pointer = local_pointer(ref);
        if (!pointer) {
            refuse(at, "must be \"#\" and a JSON pointer into this schema: others are not fetched");
            return {};
        }
        return reference(entry_for(*pointer), in_place);
    }

    void keyword(target& t, std::string_view name, const bj::value& v, const std::string& parent) {
        const std::string at = pointer_to(parent, name);
        std::string why;
        if (read_leaf_keyword(name, v, t.checks, why)) {
            t.has_checks = true;
            if (!why.empty()) refuse(at, std::move(why));
        } else if (const auto found = keywords().find(name); found != keywords().end()) {
            (this->*found->second)(t, name, v, at);
        } else if (name == "patternProperties") {
            refuse(at, "is not supported; use propertyNames with additionalProperties");
        } else if (contains(later_keywords, name)) {
            refuse(at, "belongs to a later draft; schemas here are of draft 7");
        } else if (name == "$schema") {
            if (!v.is_string() || !contains(draft_uris, text_of(v.get_string())))
                refuse(at, "must be http://json-schema.org/draft-07/schema#");
        }
        // Everything else says something about the schema or is the author's own.
    }

    using reader = void (rewriter::*)(target&, std::string_view, const bj::value&,
                                      const std::string&);
    static const std::map<std::string_view, reader>& keywords() {
        static const std::map<std::string_view, reader> all{
            {"allOf", &rewriter::combination},
            {"anyOf", &rewriter::combination},
            {"oneOf", &rewriter::combination},
            {"not", &rewriter::same_value},
            {"if", &rewriter::same_value},
            {"then", &rewriter::same_value},
            {"else", &rewriter::same_value},
            {"properties", &rewriter::properties},
            {"additionalProperties", &rewriter::additional_properties},
            {"propertyNames", &rewriter::property_names},
            {"dependencies", &rewriter::dependencies},
            {"items", &rewriter::items},
            {"additionalItems", &rewriter::part},
            {"contains", &rewriter::part},
            {"definitions", &rewriter::definitions},
            {"$defs", &rewriter::definitions},
        };
        return all;
    }

    bj::array list(const bj::value& v, const std::string& at, bool in_place) {
        bj::array out;
        const auto* schemas = v.if_array();
        if (schemas == nullptr || schemas->empty()) {
            refuse(at, "must be an array with at least one schema");
            return out;
        }
        for (std::size_t i = 0; i < schemas->size(); ++i)
            out.push_back(schema((*schemas)[i], pointer_to(at, std::to_string(i)), in_place));
        return out;
    }

    void combination(target& t, std::string_view name, const bj::value& v, const std::string& at) {
        t.out.emplace(name, list(v, at, t.in_place));
    }

    void same_value(target& t, std::string_view name, const bj::value& v, const std::string& at) {
        t.out.emplace(name, schema(v, at, t.in_place));
        // A leaf that checks nothing: there errors are counted, and `not` names none of its own.
        t.has_checks = true;
    }

    void part(target& t, std::string_view name, const bj::value& v, const std::string& at) {
        t.out.emplace(name, schema(v, at, false));
        t.has_checks = true;  // as for `not`
    }

    void items(target& t, std::string_view name, const bj::value& v, const std::string& at) {
        if (v.is_array()) {
            t.out.emplace(name, list(v, at, false));
        } else {
            t.out.emplace(name, schema(v, at, false));
        }
    }

    const bj::object* named_parts(const bj::value& v, const std::string& at) {
        const auto* object = v.if_object();
        if (object == nullptr) {
            refuse(at, "must be an object of schemas");
            return nullptr;
        }
        for (const auto& m : *object)
            // valijson reads names up to a NUL: it would check another member than is meant.
            if (text_of(m.key()).find('\0') != std::string_view::npos)
                refuse(pointer_to(at, text_of(m.key())), "has a NUL in its name");
        return object;
    }

    void properties(target& t, std::string_view name, const bj::value& v, const std::string& at) {
        bj::object out;
        if (const auto* parts = named_parts(v, at))
            for (const auto& m : *parts)
                out.emplace(m.key(), schema(m.value(), pointer_to(at, text_of(m.key())), false));
        t.out.emplace(name, std::move(out));
    }

    void additional_properties(target& t, std::string_view name, const bj::value& v,
                               const std::string& at) {
        const auto* verdict = v.if_bool();
        if (verdict == nullptr) {
            t.out.emplace(name, schema(v, at, false));
        } else if (!*verdict) {
            // Known here: so every unknown member can be named, valijson names only one.
            auto& known = t.checks.only_members.emplace();
            if (const auto* parts = t.node.if_contains("properties"); parts && parts->is_object())
                for (const auto& m : parts->get_object()) known.emplace_back(text_of(m.key()));
            std::ranges::sort(known);
            t.has_checks = true;
        }
    }

    /// In a leaf, since valijson neither says which name is wrong nor keeps this schema apart
    /// from the one it stands in when that one is referred to.
    void property_names(target& t, std::string_view, const bj::value& v, const std::string& at) {
        if (!v.is_object() && !v.is_bool()) return refuse(at, "must be a schema");
        t.checks.names_schema = entry_for(at);
        t.has_checks = true;
    }

    void dependencies(target& t, std::string_view name, const bj::value& v, const std::string& at) {
        bj::object out;
        const auto* parts = named_parts(v, at);
        if (parts == nullptr) return;
        for (const auto& m : *parts) {
            const std::string here = pointer_to(at, text_of(m.key()));
            if (m.value().is_array()) {
                leaf names;
                std::string why;
                (void)read_leaf_keyword("required", m.value(), names, why);
                if (!why.empty()) refuse(here, std::move(why));
                t.checks.dependencies.emplace_back(text_of(m.key()), std::move(names.required));
                t.has_checks = true;
            } else {
                // Through the table: valijson confuses dependent schemas of one object.
                out.emplace(m.key(), reference(entry_for(here), t.in_place));
            }
        }
        if (!out.empty()) t.out.emplace(name, std::move(out));
    }

    /// Checked although nothing may refer to them: an error there is an error too.
    void definitions(target&, std::string_view, const bj::value& v, const std::string& at) {
        if (const auto* parts = named_parts(v, at))
            for (const auto& m : *parts) (void)entry_for(pointer_to(at, text_of(m.key())));
    }

    /// A schema that applies itself to the very same value would be walked for ever.
    void refuse_endless() {
        enum class mark : std::uint8_t { unseen, open, closed };
        std::vector<mark> marks(entries_.size(), mark::unseen);
        struct frame {
            std::size_t entry;
            std::set<std::size_t>::const_iterator next;
        };
        for (std::size_t start = 0; start < entries_.size(); ++start) {
            if (marks[start] != mark::unseen) continue;
            marks[start] = mark::open;
            std::vector<frame> path{{start, applied_in_place_[start].begin()}};
            while (!path.empty()) {
                const std::size_t entry = path.back().entry;
                if (path.back().next == applied_in_place_[entry].end()) {
                    marks[entry] = mark::closed;
                    path.pop_back();
                    continue;
                }
                const std::size_t other = *path.back().next++;
                if (marks[other] == mark::open)
                    return refuse(entries_[other], "refers to itself without end");
                if (marks[other] == mark::closed) continue;
                marks[other] = mark::open;
                path.push_back({other, applied_in_place_[other].begin()});
            }
        }
    }

    const bj::value& root_;
    refusal& why_not_;
    bool refused_ = false;
    rewritten out_;
    std::vector<std::string> entries_;  // the table: pointers into the schema
    std::map<std::string, std::size_t> number_of_;
    std::size_t here_ = 0;  // the entry being rewritten
    std::map<std::size_t, std::set<std::size_t>> applied_in_place_;
};

}  // namespace

std::optional<rewritten> rewrite(const bj::value& schema, refusal& why_not) {
    return rewriter{schema, why_not}.run();
}

bj::value document_for(const rewritten& r, std::size_t number) {
    return {{table_keyword, r.table},
            {"$ref", "#/" + std::string{table_keyword} + "/" + std::to_string(number)}};
}

const bj::value* referred(const bj::value& root, const bj::value& ref) {
    const auto pointer = local_pointer(ref);
    return pointer ? find(root, *pointer) : nullptr;
}

std::string pointer_to(std::string_view parent, std::string_view name) {
    std::string out{parent};
    out += '/';
    for (const char c : name) {
        if (c == '~') {
            out += "~0";
        } else if (c == '/') {
            out += "~1";
        } else {
            out += c;
        }
    }
    return out;
}

}  // namespace flexcore::schema_detail

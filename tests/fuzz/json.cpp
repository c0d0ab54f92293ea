// The JSON validator and the slices of what it accepts, against a grammar of our own and against a
// tree built by Boost.JSON.
#include "base/json.hpp"

#include "base/names.hpp"
#include "fuzz/json_grammar.hpp"
#include "fuzz/target.hpp"

#include <boost/json/parse.hpp>

#include <string>

namespace {

using namespace flexcore;
using fuzz::require;
namespace bj = boost::json;

void same(json::slice slice, const bj::value& value) {
    std::string scratch;
    switch (slice.type()) {
        case json::kind::null:
            return require(value.is_null(), "null is null");
        case json::kind::boolean:
            return require(value.is_bool() && value.get_bool() == *slice.boolean(), "the truth");
        case json::kind::number:
            if (const auto* whole = value.if_int64()) {
                require(!slice.integer() || *slice.integer() == *whole, "the integer");
            } else if (const auto* large = value.if_uint64()) {
                require(slice.unsigned_integer() == *large, "the unsigned integer");
            } else {
                require(value.is_double(), "a number");
            }
            return;
        case json::kind::string: {
            require(value.is_string(), "a string");
            const std::string_view text = slice.string(scratch);
            require(text == std::string_view{value.get_string()}, "the same string");
            require(is_utf8(text), "UTF-8 after unescaping");
            return;
        }
        case json::kind::array: {
            std::vector<json::slice> elements;
            json::elements_of(slice, elements);
            require(value.is_array() && value.get_array().size() == elements.size(), "elements");
            for (std::size_t i = 0; i < elements.size(); ++i)
                same(elements[i], value.get_array()[i]);
            return;
        }
        case json::kind::object: {
            std::vector<json::member> members;
            json::members_of(slice, members);
            require(value.is_object() && value.get_object().size() == members.size(), "members");
            for (const auto& member : members) {
                const std::string name = member.name();
                require(member.named(name), "a member has its name");
                const auto* const found = value.get_object().if_contains(name);
                require(found != nullptr, "the same names");
                same(member.value, *found);
            }
            return;
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::text_of(data, size);
    const auto valid = json::validate(text);
    const auto unbounded = json::validate(text, size + 1);
    if (valid) {
        require(fuzz::is_json(text), "what is accepted is JSON");
        require(is_utf8(text), "what is accepted is UTF-8");
        require(unbounded.has_value(), "more depth refuses nothing");
        const auto parsed = json::parse(text);
        const auto value = json::to_value(text);
        require(parsed && value, "what is valid can be read");
        same(*parsed, *value);
        std::string again;
        if (parsed->type() == json::kind::string) {
            json::append_string(again, parsed->string());
            const auto read = json::parse(again);
            require(read && read->string() == parsed->string(), "a string printed reads the same");
        }
    } else {
        require(valid.error().code == base_errc::invalid_json, "the documented error");
        require(is_utf8(valid.error().client), "the text can be shown");
        if (!unbounded && fuzz::is_json(text)) {
            const std::string& why = unbounded.error().client;
            require(why.find("twice") != why.npos || why.find("too large") != why.npos,
                    "JSON is refused for duplicates, depth and numbers only");
        }
    }
    return 0;
}

#include "base/json.hpp"
#include "base/names.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory_resource>
#include <set>
#include <utility>

namespace flexcore::json {
namespace {

namespace bj = boost::json;

/// Up to here names of one object are compared pairwise, beyond through an ordered set: a hash
/// table would be faster, but whoever writes the names could make its buckets collide.
constexpr std::size_t pairwise_names_max = 16;
/// What a message repeats of a member's name.
constexpr std::size_t shown_name_bytes_max = 100;

/// Member names seen so far in every object that is still open. One per thread, used again for
/// each text, so that a small text costs no allocation.
class open_names {
public:
    void begin(std::string_view source) {
        // The set's nodes lie in the arena: empty it first.
        many_.clear();
        if (std::exchange(arena_used_, false)) arena_.release();
        source_ = source;
        names_.clear();
        objects_.clear();
        pending_.clear();
        duplicate.reset();
        number_too_large = false;
        next_object_ = 0;
    }

    void open_object() { objects_.push_back({next_object_++, names_.size()}); }
    void close_object() {
        names_.resize(objects_.back().first_name);
        objects_.pop_back();
    }

    void part(bj::string_view text) { pending_.append(text.data(), text.size()); }

    /// False: the innermost object has this name already.
    bool name(bj::string_view text) {
        const std::string_view whole = keep({text.data(), text.size()});
        const object_state& object = objects_.back();
        const std::size_t count = names_.size() - object.first_name;
        bool fresh = true;
        if (count < pairwise_names_max) {
            for (std::size_t i = object.first_name; fresh && i < names_.size(); ++i)
                fresh = names_[i] != whole;
            names_.push_back(whole);
        } else {
            arena_used_ = true;
            if (count == pairwise_names_max) {
                for (std::size_t i = object.first_name; i < names_.size(); ++i)
                    many_.emplace(object.number, names_[i]);
                names_.emplace_back();  // marks that the set has taken over
            }
            fresh = many_.emplace(object.number, whole).second;
        }
        if (!fresh) duplicate.emplace(whole);
        return fresh;
    }

    std::optional<std::string> duplicate;
    bool number_too_large = false;

private:
    struct object_state {
        std::size_t number;      // tells this object's names from others' in the set
        std::size_t first_name;  // in names_
    };

    /// A name that lives as long as the check: in the source when nothing is escaped.
    std::string_view keep(std::string_view last_part) {
        const std::less_equal<const char*> not_after;
        if (pending_.empty() && not_after(source_.data(), last_part.data()) &&
            not_after(last_part.data() + last_part.size(), source_.data() + source_.size()))
            return last_part;
        pending_ += last_part;
        if (pending_.empty()) return {};
        arena_used_ = true;
        auto* copy = static_cast<char*>(arena_.allocate(pending_.size(), 1));
        pending_.copy(copy, pending_.size());
        const std::size_t size = pending_.size();
        pending_.clear();
        return {copy, size};
    }

    std::string_view source_;
    std::vector<std::string_view> names_;
    std::vector<object_state> objects_;
    std::string pending_;
    std::size_t next_object_ = 0;
    std::pmr::monotonic_buffer_resource arena_;
    bool arena_used_ = false;
    std::pmr::set<std::pair<std::size_t, std::string_view>> many_{&arena_};
};

struct handler {
    static constexpr std::size_t max_array_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_object_size = max_array_size;
    static constexpr std::size_t max_string_size = max_array_size;
    static constexpr std::size_t max_key_size = max_array_size;

    open_names* names;

    using ec = bj::error_code;
    bool on_document_begin(ec&) { return true; }
    bool on_document_end(ec&) { return true; }
    bool on_array_begin(ec&) { return true; }
    bool on_array_end(std::size_t, ec&) { return true; }
    bool on_object_begin(ec&) {
        names->open_object();
        return true;
    }
    bool on_object_end(std::size_t, ec&) {
        names->close_object();
        return true;
    }
    bool on_string_part(bj::string_view, std::size_t, ec&) { return true; }
    bool on_string(bj::string_view, std::size_t, ec&) { return true; }
    bool on_key_part(bj::string_view text, std::size_t, ec&) {
        names->part(text);
        return true;
    }
    bool on_key(bj::string_view text, std::size_t, ec& error) {
        if (names->name(text)) return true;
        error = bj::error::syntax;  // the cause stands in `names`
        return false;
    }
    bool on_number_part(bj::string_view, ec&) { return true; }
    bool on_int64(std::int64_t, bj::string_view, ec&) { return true; }
    bool on_uint64(std::uint64_t, bj::string_view, ec&) { return true; }
    bool on_double(double value, bj::string_view, ec& error) {
        if (std::isfinite(value)) return true;
        names->number_too_large = true;
        error = bj::error::syntax;
        return false;
    }
    bool on_bool(bool, ec&) { return true; }
    bool on_null(ec&) { return true; }
    bool on_comment_part(bj::string_view, ec&) { return true; }
    bool on_comment(bj::string_view, ec&) { return true; }
};

/// The opening quote of the string whose closing quote stands at `closing`.
std::size_t opening_quote(std::string_view text, std::size_t closing) {
    // Inside a string every quote has a backslash before it; the opening one has none.
    std::size_t at = text.rfind('"', closing - 1);
    while (at != text.npos && at > 0 && text[at - 1] == '\\') at = text.rfind('"', at - 1);
    return at;
}

/// " (line 3, column 5)" in a text of several lines.
std::string line_of(std::string_view text, std::size_t byte) {
    if (text.find('\n') == text.npos) return {};
    const std::string_view before = text.substr(0, byte);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t begin = before.rfind('\n') + 1;  // npos + 1 is 0
    return " (line " + std::to_string(line) + ", column " + std::to_string(byte - begin + 1) + ")";
}

std::unexpected<error> refuse(std::string_view text, std::size_t byte, const std::string& cause) {
    return fail(base_errc::invalid_json,
                "byte " + std::to_string(byte) + line_of(text, byte) + ": " + cause);
}

std::string cause_of(const bj::error_code& code, std::string_view text, std::size_t byte,
                     std::size_t depth_max) {
    if (code == bj::error::too_deep)
        return "nested deeper than " + std::to_string(depth_max) + " levels";
    if (code == bj::error::incomplete) return "the text ends inside a value";
    if (code == bj::error::exponent_overflow) return "the number's exponent is too large";
    if (code == bj::error::illegal_leading_surrogate ||
        code == bj::error::illegal_trailing_surrogate)
        return "a lone surrogate";
    if (code == bj::error::expected_hex_digit) return "four hexadecimal digits must follow \\u";
    if (byte < text.size() && static_cast<unsigned char>(text[byte]) >= 0x80 &&
        !is_utf8(text.substr(byte)))
        return "invalid UTF-8";
    return "not JSON (" + code.message() + ")";
}

std::string shown(const std::string& name) {
    if (name.size() <= shown_name_bytes_max) return '"' + name + '"';
    std::size_t cut = shown_name_bytes_max;
    while (cut > 0 && (static_cast<unsigned char>(name[cut]) & 0xC0) == 0x80) --cut;
    return '"' + name.substr(0, cut) + "…\"";
}

}  // namespace

result<void> validate(std::string_view text, std::size_t depth_max) {
    thread_local open_names names;
    names.begin(text);
    bj::parse_options options;
    options.max_depth = depth_max;
    bj::basic_parser<handler> parser{options, handler{&names}};
    bj::error_code code;
    const std::size_t at = parser.write_some(false, text.data(), text.size(), code);
    if (!code) {
        if (at == text.size()) return {};
        return refuse(text, at, "something follows the value");
    }
    if (names.duplicate)
        return refuse(text, opening_quote(text, at),
                      "the member " + shown(*names.duplicate) + " appears twice");
    if (names.number_too_large) return refuse(text, at, "the number is too large");
    return refuse(text, at, cause_of(code, text, at, depth_max));
}

result<slice> parse(std::string_view text, std::size_t depth_max) {
    if (auto valid = validate(text, depth_max); !valid) return fail(std::move(valid.error()));
    constexpr std::string_view space = " \t\n\r";
    const std::size_t first = text.find_first_not_of(space);
    return slice{text.substr(first, text.find_last_not_of(space) - first + 1)};
}

result<bj::value> to_value(std::string_view text, std::size_t depth_max) {
    if (auto valid = validate(text, depth_max); !valid) return fail(std::move(valid.error()));
    bj::parse_options options;
    options.max_depth = depth_max;
    return bj::parse(bj::string_view{text.data(), text.size()}, {}, options);
}

}  // namespace flexcore::json

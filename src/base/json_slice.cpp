#include "base/json.hpp"

#include <charconv>
#include <cstring>

namespace flexcore::json {
namespace {

// Everything here reads text that `validate` accepted, so only structure is looked for.

const char* skip_space(const char* p) {
    while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r') ++p;
    return p;
}

/// Behind the string that begins at `p`.
const char* skip_string(const char* p) {
    for (++p; *p != '"'; ++p)
        if (*p == '\\') ++p;
    return p + 1;
}

/// Behind the object or array that begins at `p`.
const char* skip_nested(const char* p) {
    std::size_t depth = 0;
    for (;;) {
        switch (*p) {
            case '"':
                p = skip_string(p);
                continue;
            case '{':
            case '[':
                ++depth;
                break;
            case '}':
            case ']':
                if (--depth == 0) return p + 1;
                break;
            default:
                break;
        }
        ++p;
    }
}

/// Behind the value that begins at `p`; a value of these always has a delimiter behind it.
const char* skip_value(const char* p) {
    switch (*p) {
        case '"':
            return skip_string(p);
        case '{':
        case '[':
            return skip_nested(p);
        default:
            while (*p != ',' && *p != '}' && *p != ']' && *p > ' ') ++p;
            return p;
    }
}

unsigned hex4(const char* p) {
    unsigned value = 0;
    std::from_chars(p, p + 4, value, 16);
    return value;
}

void append_utf8(std::string& out, unsigned point) {
    const auto put = [&](unsigned byte) { out += static_cast<char>(byte); };
    if (point < 0x80) {
        put(point);
    } else if (point < 0x800) {
        put(0xC0 | point >> 6);
        put(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
        put(0xE0 | point >> 12);
        put(0x80 | (point >> 6 & 0x3F));
        put(0x80 | (point & 0x3F));
    } else {
        put(0xF0 | point >> 18);
        put(0x80 | (point >> 12 & 0x3F));
        put(0x80 | (point >> 6 & 0x3F));
        put(0x80 | (point & 0x3F));
    }
}

/// Appends the character of the escape at `p` (behind the backslash); answers what follows it.
const char* unescape_one(const char* p, std::string& out) {
    switch (*p) {
        case 'b':
            out += '\b';
            return p + 1;
        case 'f':
            out += '\f';
            return p + 1;
        case 'n':
            out += '\n';
            return p + 1;
        case 'r':
            out += '\r';
            return p + 1;
        case 't':
            out += '\t';
            return p + 1;
        case 'u':
            break;
        default:
            out += *p;
            return p + 1;
    }
    unsigned point = hex4(p + 1);
    p += 5;
    if (point >= 0xD800 && point <= 0xDBFF) {
        point = 0x10000 + ((point - 0xD800) << 10) + (hex4(p + 2) - 0xDC00);
        p += 6;
    }
    append_utf8(out, point);
    return p;
}

void unescape(std::string_view raw, std::string& out) {
    out.clear();
    out.reserve(raw.size());
    const char* p = raw.data();
    const char* const end = p + raw.size();
    while (p != end) {
        const auto* escape =
            static_cast<const char*>(std::memchr(p, '\\', static_cast<std::size_t>(end - p)));
        if (escape == nullptr) escape = end;
        out.append(p, escape);
        p = escape == end ? end : unescape_one(escape + 1, out);
    }
}

bool has_escape(std::string_view raw) { return raw.find('\\') != raw.npos; }

std::string_view between(const char* begin, const char* end) {
    return {begin, static_cast<std::size_t>(end - begin)};
}

template <class Integer>
std::optional<Integer> whole_number(std::string_view text) noexcept {
    Integer value{};
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace

kind slice::type() const noexcept {
    switch (text.front()) {
        case 'n':
            return kind::null;
        case 't':
        case 'f':
            return kind::boolean;
        case '"':
            return kind::string;
        case '[':
            return kind::array;
        case '{':
            return kind::object;
        default:
            return kind::number;
    }
}

std::string_view slice::string(std::string& scratch) const {
    const std::string_view raw = text.substr(1, text.size() - 2);
    if (!has_escape(raw)) return raw;
    unescape(raw, scratch);
    return scratch;
}

std::string slice::string() const {
    std::string scratch;
    return std::string{string(scratch)};
}

std::optional<std::int64_t> slice::integer() const noexcept {
    return whole_number<std::int64_t>(text);
}

std::optional<std::uint64_t> slice::unsigned_integer() const noexcept {
    return whole_number<std::uint64_t>(text);
}

std::optional<bool> slice::boolean() const noexcept {
    if (type() != kind::boolean) return std::nullopt;
    return text.front() == 't';
}

bool member::named(std::string_view plain) const {
    if (!has_escape(raw_name)) return raw_name == plain;
    return name() == plain;
}

std::string member::name() const {
    if (!has_escape(raw_name)) return std::string{raw_name};
    std::string out;
    unescape(raw_name, out);
    return out;
}

void members_of(slice object, std::vector<member>& out) {
    out.clear();
    const char* p = skip_space(object.text.data() + 1);
    while (*p != '}') {
        const char* const name_end = skip_string(p);
        const std::string_view raw_name = between(p + 1, name_end - 1);
        p = skip_space(skip_space(name_end) + 1);  // over the colon
        const char* const value_end = skip_value(p);
        out.push_back({raw_name, slice{between(p, value_end)}});
        p = skip_space(value_end);
        if (*p == ',') p = skip_space(p + 1);
    }
}

void elements_of(slice array, std::vector<slice>& out) {
    out.clear();
    const char* p = skip_space(array.text.data() + 1);
    while (*p != ']') {
        const char* const end = skip_value(p);
        out.push_back(slice{between(p, end)});
        p = skip_space(end);
        if (*p == ',') p = skip_space(p + 1);
    }
}

}  // namespace flexcore::json

#include "telemetry/log_line.hpp"

#include "base/json.hpp"
#include "base/names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

namespace flexcore::telemetry {
namespace {

struct level_style {
    std::string_view name;
    std::string_view padded;
    std::string_view colour;
};
constexpr std::array<level_style, 5> styles{{
    {"trace", "TRACE", "\x1b[90m"},
    {"debug", "DEBUG", "\x1b[36m"},
    {"info", "INFO ", "\x1b[32m"},
    {"warn", "WARN ", "\x1b[33m"},
    {"error", "ERROR", "\x1b[1;31m"},
}};
constexpr std::string_view dim = "\x1b[2m";
constexpr std::string_view plain = "\x1b[0m";

const level_style& style_of(level l) {
    return styles[std::min(static_cast<std::size_t>(l), styles.size() - 1)];
}

void append_time(std::string& out, unix_us time) {
    char text[27];
    write_time(time, text);
    out.append(text, sizeof text);
}

void append_quoted(std::string& out, std::string_view text) {
    if (is_utf8(text)) {
        json::append_string(out, text);
    } else {
        json::append_string(out, to_utf8(text));
    }
}

/// A terminal obeys control characters and a reader splits at spaces: both need quotes.
bool must_quote(std::string_view text, bool spaces_too) {
    return text.empty() || !is_utf8(text) || std::ranges::any_of(text, [&](char c) {
               const auto byte = static_cast<unsigned char>(c);
               return byte < 0x20 || byte == 0x7F || (spaces_too && (c == ' ' || c == '"'));
           });
}

/// U+007F to U+009F are control characters too, but JSON lets them stand as they are.
void append_escaping_c1(std::string& out, std::string_view quoted) {
    for (std::size_t i = 0; i < quoted.size(); ++i) {
        const auto byte = static_cast<unsigned char>(quoted[i]);
        const auto next = i + 1 < quoted.size() ? static_cast<unsigned char>(quoted[i + 1]) : 0;
        if (byte == 0x7F) {
            out += "\\u007f";
        } else if (byte == 0xC2 && next >= 0x80 && next <= 0x9F) {
            fmt::format_to(std::back_inserter(out), "\\u00{:02x}", next);
            ++i;
        } else {
            out += quoted[i];
        }
    }
}

void append_plain(std::string& out, std::string_view text, bool spaces_too) {
    const bool has_c1 = text.find('\xC2') != text.npos;
    if (!has_c1 && !must_quote(text, spaces_too)) {
        out += text;
        return;
    }
    std::string quoted;
    append_quoted(quoted, text);
    append_escaping_c1(out, quoted);
}

void append_number(std::string& out, double value) {
    fmt::format_to(std::back_inserter(out), "{}", value);
}

struct json_value {
    std::string& out;
    void operator()(std::string_view v) const { append_quoted(out, v); }
    void operator()(bool v) const { out += v ? "true" : "false"; }
    void operator()(double v) const {
        if (!std::isfinite(v)) out += '"';
        append_number(out, v);
        if (!std::isfinite(v)) out += '"';
    }
    template <class Integer>
    void operator()(Integer v) const {
        json::append_number(out, v);
    }
};

struct text_value {
    std::string& out;
    void operator()(std::string_view v) const { append_plain(out, v, true); }
    void operator()(bool v) const { out += v ? "true" : "false"; }
    void operator()(double v) const { append_number(out, v); }
    template <class Integer>
    void operator()(Integer v) const {
        json::append_number(out, v);
    }
};

}  // namespace

void append_json_line(std::string& out, const log_entry& entry) {
    out += "{\"ts\":\"";
    append_time(out, entry.time);
    out += "\",\"level\":\"";
    out += style_of(entry.severity).name;
    out += "\",\"logger\":";
    append_quoted(out, entry.logger);
    out += ",\"msg\":";
    append_quoted(out, entry.message);
    for (const field& f : entry.fields) {
        out += ',';
        append_quoted(out, f.key);
        out += ':';
        std::visit(json_value{out}, f.value);
    }
    out += '}';
}

void append_text_line(std::string& out, const log_entry& entry, bool colour) {
    const auto tint = [&](std::string_view code) {
        if (colour) out += code;
    };
    tint(dim);
    append_time(out, entry.time);
    tint(plain);
    out += ' ';
    tint(style_of(entry.severity).colour);
    out += style_of(entry.severity).padded;
    tint(plain);
    out += ' ';
    append_plain(out, entry.logger, true);
    out += ' ';
    append_plain(out, entry.message, false);
    for (const field& f : entry.fields) {
        out += ' ';
        tint(dim);
        append_plain(out, f.key, true);
        out += '=';
        tint(plain);
        std::visit(text_value{out}, f.value);
    }
}

}  // namespace flexcore::telemetry

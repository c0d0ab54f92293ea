// params: the parameters of one statement, and arrays among them, in PostgreSQL's text form.
//
// Source:  PostgreSQL 15, 8.15.2 "Array Value Input".
// Threads: values.
#pragma once

#include "base/uuid.hpp"

#include <fmt/format.h>

#include <concepts>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::store::postgres {

/// "{1,2,3}", "{\"a\",\"b\"}"
class array_text {
public:
    template <std::integral Number>
    void add(Number number) {
        separate();
        fmt::format_to(std::back_inserter(text_), "{}", number);
    }
    void add(bool) = delete;
    void add(const uuid& id) {
        separate();
        char text[36];
        id.write_to(text);
        text_.append(text, sizeof text);
    }
    void add(std::string_view text) {
        separate();
        text_ += '"';
        for (const char c : text) {
            if (c == '"' || c == '\\') text_ += '\\';
            text_ += c;
        }
        text_ += '"';
    }
    void add(const std::string& text) { add(std::string_view{text}); }
    void add(const char* text) { add(std::string_view{text}); }
    template <class Range>
    static array_text of(const Range& all) {
        array_text made;
        for (const auto& one : all) made.add(one);
        return made;
    }
    [[nodiscard]] bool empty() const noexcept { return text_.size() == 1; }
    [[nodiscard]] std::string text() const { return text_ + '}'; }

private:
    void separate() {
        if (text_.size() > 1) text_ += ',';
    }
    std::string text_ = "{";
};

class params {
public:
    template <std::integral Number>
    params& add(Number number) {
        all_.push_back(fmt::format("{}", number));
        return *this;
    }
    params& add(bool value) {
        all_.emplace_back(value ? "t" : "f");
        return *this;
    }
    params& add(std::string_view text) {
        all_.emplace_back(text);
        return *this;
    }
    params& add(const char* text) { return add(std::string_view{text}); }
    params& add(std::string&& text) {
        all_.push_back(std::move(text));
        return *this;
    }
    params& add(const std::string& text) { return add(std::string_view{text}); }
    params& add(const uuid& id) { return add(id.to_string()); }
    params& add(const array_text& all) { return add(all.text()); }

    [[nodiscard]] const std::vector<std::string>& all() const noexcept { return all_; }

private:
    std::vector<std::string> all_;
};

}  // namespace flexcore::store::postgres

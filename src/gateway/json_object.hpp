// json_object: appends one JSON object to a text, member by member. Names are plain ASCII literals.
#pragma once

#include "base/json.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::gateway {

class json_object {
public:
    explicit json_object(std::string& out) : out_{out} { out_ += '{'; }
    json_object(const json_object&) = delete;
    json_object& operator=(const json_object&) = delete;

    json_object& text(std::string_view name, std::string_view value) {
        begin(name);
        json::append_string(out_, value);
        return *this;
    }
    json_object& number(std::string_view name, std::uint64_t value) {
        begin(name);
        json::append_number(out_, value);
        return *this;
    }
    json_object& boolean(std::string_view name, bool value) {
        begin(name);
        out_ += value ? "true" : "false";
        return *this;
    }
    /// `json` is one JSON value.
    json_object& raw(std::string_view name, std::string_view json) {
        begin(name);
        out_ += json;
        return *this;
    }
    json_object& texts(std::string_view name, const std::vector<std::string>& values) {
        begin(name);
        out_ += '[';
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (i != 0) out_ += ',';
            json::append_string(out_, values[i]);
        }
        out_ += ']';
        return *this;
    }
    /// The member's value is appended to the text by the caller.
    json_object& begin(std::string_view name) {
        if (!first_) out_ += ',';
        first_ = false;
        out_ += '"';
        out_ += name;
        out_ += "\":";
        return *this;
    }
    void end() { out_ += '}'; }

private:
    std::string& out_;
    bool first_ = true;
};

/// `{"items":[…],"next":…}`; `item` appends one of `items`, `next` empty means null.
template <class Items, class Item>
[[nodiscard]] std::string json_list(const Items& items, std::string_view next, Item item) {
    std::string out = "{\"items\":[";
    bool first = true;
    for (const auto& one : items) {
        if (!first) out += ',';
        first = false;
        item(out, one);
    }
    out += "],\"next\":";
    if (next.empty())
        out += "null";
    else
        json::append_string(out, next);
    out += '}';
    return out;
}

}  // namespace flexcore::gateway

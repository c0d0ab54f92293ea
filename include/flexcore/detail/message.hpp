// What a plugin sees of a call: messages, who calls, and the failure that ends it.
//
// Everything here is a view of the host's memory: valid until the call is completed, which for a
// handler that returns its answer means until it returns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "../plugin_abi.h"

namespace flexcore::plugin {

[[nodiscard]] inline std::string_view text(fxc_view view) noexcept {
    return {static_cast<const char*>(view.data), static_cast<std::size_t>(view.size)};
}
[[nodiscard]] inline fxc_view view(std::string_view text) noexcept {
    return {text.data(), text.size()};
}

/// A command, an event or a processor's input.
class message {
public:
    explicit message(const fxc_message& raw) noexcept : raw_{&raw} {}

    [[nodiscard]] std::string_view type() const noexcept { return text(raw_->type); }
    /// UUID text.
    [[nodiscard]] std::string_view id() const noexcept { return text(raw_->id); }
    /// "counter-42": category, '-', key; empty when there is none.
    [[nodiscard]] std::string_view stream() const noexcept { return text(raw_->stream); }
    /// What follows the first '-' of the stream: the aggregate's id.
    [[nodiscard]] std::string_view key() const noexcept {
        const auto dash = stream().find('-');
        return dash == std::string_view::npos ? std::string_view{} : stream().substr(dash + 1);
    }
    [[nodiscard]] std::string_view content_type() const noexcept {
        return text(raw_->content_type);
    }
    /// A JSON object.
    [[nodiscard]] std::string_view metadata() const noexcept { return text(raw_->metadata); }
    /// JSON for commands and events, any bytes for a processor.
    [[nodiscard]] std::string_view payload() const noexcept { return text(raw_->payload); }
    /// In the stream, 1 is first, 0 is none.
    [[nodiscard]] std::uint64_t version() const noexcept { return raw_->version; }
    /// In the whole log, 0 is none.
    [[nodiscard]] std::uint64_t position() const noexcept { return raw_->position; }
    /// When the event was recorded, microseconds since 1970.
    [[nodiscard]] std::int64_t time_unix_us() const noexcept { return raw_->time_unix_us; }
    [[nodiscard]] std::uint32_t schema_version() const noexcept { return raw_->schema_version; }
    [[nodiscard]] std::size_t tag_count() const noexcept { return raw_->tag_count; }
    [[nodiscard]] std::string_view tag(std::size_t index) const noexcept {
        return text(raw_->tags[index]);
    }

private:
    const fxc_message* raw_;
};
using command = message;
using event = message;

/// Thrown by a handler: ends its call with this status instead of FXC_INTERNAL.
class failure : public std::exception {
public:
    /// `problem_json` is empty or a JSON object that goes to the caller with the failure.
    failure(fxc_status status, std::string why, std::string problem_json = {})
        : status_{status}, why_{std::move(why)}, problem_json_{std::move(problem_json)} {}

    [[nodiscard]] const char* what() const noexcept override { return why_.c_str(); }
    [[nodiscard]] fxc_status status() const noexcept { return status_; }
    [[nodiscard]] std::string_view problem_json() const noexcept { return problem_json_; }

private:
    fxc_status status_;
    std::string why_;
    std::string problem_json_;
};

/// What the host tells about a running call. A value; asks the host each time. After the call was
/// completed every answer is empty and `cancelled` is true.
class call {
public:
    call(const fxc_host* host, fxc_call handle) noexcept : host_{host}, handle_{handle} {}

    /// The caller has given up, by a cancel or at the deadline. The call must still be completed.
    [[nodiscard]] bool cancelled() const noexcept {
        return host_->call_info(host_, handle_) == nullptr ||
               host_->call_cancelled(host_, handle_) != 0;
    }
    /// CLOCK_MONOTONIC (std::chrono::steady_clock), 0 is none.
    [[nodiscard]] std::uint64_t deadline_ns() const noexcept {
        const auto* info = host_->call_info(host_, handle_);
        return info == nullptr ? 0 : info->deadline_ns;
    }
    /// What is called: aggregate category, projection or query name.
    [[nodiscard]] std::string_view target() const noexcept { return get(&fxc_call_info::target); }
    [[nodiscard]] std::string_view tenant() const noexcept { return get(&fxc_call_info::tenant); }
    [[nodiscard]] std::string_view principal() const noexcept {
        return get(&fxc_call_info::principal);
    }
    /// The same for every attempt.
    [[nodiscard]] std::string_view idempotency_key() const noexcept {
        return get(&fxc_call_info::idempotency_key);
    }
    [[nodiscard]] std::string_view traceparent() const noexcept {
        return get(&fxc_call_info::traceparent);
    }
    [[nodiscard]] fxc_call handle() const noexcept { return handle_; }

private:
    [[nodiscard]] std::string_view get(fxc_view fxc_call_info::* field) const noexcept {
        const auto* info = host_->call_info(host_, handle_);
        return info == nullptr ? std::string_view{} : text(info->*field);
    }

    const fxc_host* host_;
    fxc_call handle_;
};

namespace detail {

/// A JSON string literal. Bytes that are not UTF-8 go through: the host refuses them by name.
inline std::string json_text(std::string_view raw) {
    constexpr std::string_view hex{"0123456789abcdef"};
    std::string out{'"'};
    for (const char c : raw) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20) {
            out += "\\u00";
            out += hex[byte >> 4];
            out += hex[byte & 0xf];
        } else {
            out += c;
        }
    }
    out += '"';
    return out;
}

/// A text the host takes over.
inline fxc_buffer owned_buffer(std::string content) {
    auto* owned = new std::string{std::move(content)};
    return {owned->data(), owned->size(),
            [](fxc_buffer* buffer) {
                delete static_cast<std::string*>(buffer->owner);
                *buffer = {};
            },
            owned};
}
/// The same for an error text: without memory there is none.
inline void put_error(fxc_buffer* out, const char* why) noexcept {
    if (out == nullptr) return;
    *out = {};
    try {
        *out = owned_buffer(why);
    } catch (...) {
        *out = {};
    }
}

}  // namespace detail
}  // namespace flexcore::plugin

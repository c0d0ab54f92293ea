#include "gateway/socket_frames.hpp"

#include "base/names.hpp"

#include <algorithm>
#include <utility>

namespace flexcore::gateway {
namespace {

constexpr std::size_t control_bytes_max = 125;
constexpr std::size_t close_reason_bytes_max = control_bytes_max - 2;

/// Codes a peer may send (RFC 6455, 7.4, and the registry beside it).
bool is_close_code(std::uint16_t code) noexcept {
    return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
           (code >= 3000 && code <= 4999);
}

}  // namespace

bool socket_reader::fail(socket_close code, std::string_view reason) noexcept {
    fault_ = {code, reason};
    broken_ = true;
    return false;
}

socket_reader::reading socket_reader::next(std::string_view& in) {
    if (broken_) return reading::broken;
    for (;;) {
        if (step_ == step::head) {
            if (!take_head(in)) return broken_ ? reading::broken : reading::more;
            step_ = step::payload;
        }
        std::string& into = is_control() ? control_ : gathered_;
        const std::size_t count = std::min(left_, in.size());
        for (std::size_t i = 0; i < count; ++i)
            into += static_cast<char>(static_cast<unsigned char>(in[i]) ^ mask_[seen_++ & 3]);
        in.remove_prefix(count);
        left_ -= count;
        if (left_ != 0) return reading::more;
        step_ = step::head;
        head_size_ = 0;
        head_wanted_ = 2;
        if (!finish_frame()) return reading::broken;
        if (whole_) return reading::message;
    }
}

/// False: more is needed, or the head is broken.
bool socket_reader::take_head(std::string_view& in) {
    for (;;) {
        const std::size_t count = std::min(head_wanted_ - head_size_, in.size());
        std::copy_n(in.begin(), count, head_.begin() + static_cast<std::ptrdiff_t>(head_size_));
        head_size_ += count;
        in.remove_prefix(count);
        if (head_size_ < head_wanted_) return false;
        if (head_size_ == 2) {
            // What the first two bytes forbid is told before the others are waited for.
            if ((head_[0] & 0x70) != 0)
                return fail(socket_close::protocol_error, "a reserved bit is set");
            if ((head_[1] & 0x80) == 0)
                return fail(socket_close::protocol_error, "a frame of a client is not masked");
            const unsigned length = head_[1] & 0x7F;
            head_wanted_ = 6u + (length == 126 ? 2u : length == 127 ? 8u : 0u);
            continue;
        }
        return check_head();
    }
}

bool socket_reader::check_head() {
    final_ = (head_[0] & 0x80) != 0;
    opcode_ = head_[0] & 0x0F;
    std::uint64_t length = head_[1] & 0x7F;
    const std::size_t wide = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (wide != 0) {
        const std::uint64_t least = wide == 2 ? 126 : 65'536;
        length = 0;
        for (std::size_t i = 0; i < wide; ++i) length = length << 8 | head_[2 + i];
        if (length < least || length >> 63 != 0)
            return fail(socket_close::protocol_error, "a length is not in its shortest form");
    }
    std::copy_n(head_.begin() + static_cast<std::ptrdiff_t>(2 + wide), 4, mask_.begin());

    if (is_control()) {
        if (opcode_ > static_cast<std::uint8_t>(socket_opcode::pong))
            return fail(socket_close::protocol_error, "an opcode is unknown");
        if (!final_ || length > control_bytes_max)
            return fail(socket_close::protocol_error, "a control frame is fragmented or too long");
        control_.clear();
    } else {
        const bool goes_on = opcode_ == static_cast<std::uint8_t>(socket_opcode::continuation);
        if (opcode_ > static_cast<std::uint8_t>(socket_opcode::binary))
            return fail(socket_close::protocol_error, "an opcode is unknown");
        if (goes_on != (kind_ != socket_opcode::continuation))
            return fail(socket_close::protocol_error, goes_on ? "a continuation continues nothing"
                                                              : "a message begins inside another");
        if (!goes_on) kind_ = static_cast<socket_opcode>(opcode_);
        if (length > bytes_max_ - gathered_.size())
            return fail(socket_close::too_big, "a message is too long");
    }
    left_ = static_cast<std::size_t>(length);
    seen_ = 0;
    return true;
}

bool socket_reader::finish_frame() {
    whole_ = is_control() || final_;
    if (!whole_) return true;
    out_.close_code = 0;
    if (is_control()) {
        out_.kind = static_cast<socket_opcode>(opcode_);
        out_.payload = std::move(control_);
        return out_.kind != socket_opcode::close || finish_close();
    }
    out_.kind = std::exchange(kind_, socket_opcode::continuation);
    out_.payload = std::exchange(gathered_, {});
    if (out_.kind == socket_opcode::text && !is_utf8(out_.payload))
        return fail(socket_close::invalid_payload, "a text is not UTF-8");
    return true;
}

bool socket_reader::finish_close() {
    std::string& text = out_.payload;
    if (text.empty()) {
        out_.close_code = static_cast<std::uint16_t>(socket_close::no_status);
        return true;
    }
    if (text.size() == 1) return fail(socket_close::protocol_error, "half a close code");
    out_.close_code = static_cast<std::uint16_t>(static_cast<unsigned char>(text[0]) << 8 |
                                                 static_cast<unsigned char>(text[1]));
    text.erase(0, 2);
    if (!is_close_code(out_.close_code))
        return fail(socket_close::protocol_error, "a close code that nobody may send");
    if (!is_utf8(text)) return fail(socket_close::invalid_payload, "a reason is not UTF-8");
    return true;
}

void append_socket_head(std::string& out, socket_opcode kind, std::size_t bytes) {
    out += static_cast<char>(0x80 | static_cast<unsigned>(kind));
    std::size_t wide = 0;
    if (bytes < 126) {
        out += static_cast<char>(bytes);
    } else {
        wide = bytes <= 0xFFFF ? 2 : 8;
        out += static_cast<char>(wide == 2 ? 126 : 127);
    }
    while (wide-- > 0) out += static_cast<char>(bytes >> (8 * wide) & 0xFF);
}

void append_socket_frame(std::string& out, socket_opcode kind, std::string_view payload) {
    append_socket_head(out, kind, payload.size());
    out += payload;
}

void append_socket_close(std::string& out, socket_close code, std::string_view reason) {
    if (reason.size() > close_reason_bytes_max) {
        std::size_t end = close_reason_bytes_max;
        while (end > 0 && (static_cast<unsigned char>(reason[end]) & 0xC0) == 0x80) --end;
        reason = reason.substr(0, end);
    }
    append_socket_head(out, socket_opcode::close, 2 + reason.size());
    const auto number = static_cast<std::uint16_t>(code);
    out += static_cast<char>(number >> 8);
    out += static_cast<char>(number & 0xFF);
    out += reason;
}

}  // namespace flexcore::gateway

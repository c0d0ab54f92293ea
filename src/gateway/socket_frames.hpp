// WebSocket framing (RFC 6455) without I/O: from a client's bytes to messages, and back.
//
// Input:   whatever a client sends, in pieces of any size. Extensions are never agreed on, so
//          reserved bits are errors.
// Bounds:  a message's payload, over all its fragments; control frames by the protocol. A length is
//          refused when it is told, before its bytes come.
// Threads: values without shared state.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace flexcore::gateway {

enum class socket_opcode : std::uint8_t {
    continuation = 0,
    text = 1,
    binary = 2,
    close = 8,
    ping = 9,
    pong = 10
};

/// Why a connection ends, as the close frame says it.
enum class socket_close : std::uint16_t {
    normal = 1000,
    going_away = 1001,
    protocol_error = 1002,
    unsupported_data = 1003,
    no_status = 1005,  ///< never sent: the frame named none
    invalid_payload = 1007,
    policy_violation = 1008,
    too_big = 1009,
    internal_error = 1011,
};

struct socket_message {
    socket_opcode kind = socket_opcode::text;  ///< never a continuation
    std::string payload;                       ///< unmasked; of a close frame, its reason
    std::uint16_t close_code = 0;              ///< of a close frame; no_status when it names none
};

class socket_reader {
public:
    explicit socket_reader(std::size_t message_bytes_max) : bytes_max_{message_bytes_max} {}

    enum class reading : std::uint8_t { more, message, broken };
    /// Takes bytes from the front of `in` up to the end of the next message or control frame.
    /// `more`: all are taken. `broken`: see `fault`; nothing may be read any more.
    [[nodiscard]] reading next(std::string_view& in);

    /// After `message`; may be moved from.
    [[nodiscard]] socket_message& message() noexcept { return out_; }
    struct broken_by {
        socket_close code = socket_close::protocol_error;
        std::string_view reason;  ///< a literal
    };
    [[nodiscard]] const broken_by& fault() const noexcept { return fault_; }

private:
    enum class step : std::uint8_t { head, payload };
    [[nodiscard]] bool take_head(std::string_view& in);
    [[nodiscard]] bool check_head();
    [[nodiscard]] bool finish_frame();
    [[nodiscard]] bool finish_close();
    [[nodiscard]] bool fail(socket_close, std::string_view reason) noexcept;
    [[nodiscard]] bool is_control() const noexcept { return (opcode_ & 8) != 0; }

    const std::size_t bytes_max_;
    step step_ = step::head;
    std::array<unsigned char, 14> head_{};
    std::size_t head_size_ = 0, head_wanted_ = 2;
    std::uint8_t opcode_ = 0;
    bool final_ = false;
    std::array<unsigned char, 4> mask_{};
    std::size_t left_ = 0, seen_ = 0;                   ///< bytes of the payload at hand
    std::string gathered_;                              ///< the message's fragments
    std::string control_;                               ///< the control frame's payload
    socket_opcode kind_ = socket_opcode::continuation;  ///< of the message at hand, if any
    bool whole_ = false, broken_ = false;
    socket_message out_;
    broken_by fault_;
};

/// Appends the head of a whole, unmasked frame; `bytes` of payload follow it.
void append_socket_head(std::string& out, socket_opcode, std::size_t bytes);
void append_socket_frame(std::string& out, socket_opcode, std::string_view payload);
/// `reason` is cut to what a control frame holds, at a character's border.
void append_socket_close(std::string& out, socket_close, std::string_view reason);

}  // namespace flexcore::gateway

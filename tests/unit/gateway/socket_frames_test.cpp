// WebSocket framing, byte by byte.
#include "gateway/socket_frames.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace flexcore::gateway;

namespace {

using reading = socket_reader::reading;
constexpr std::size_t most = 1000;

/// A client's frame, masked.
std::string frame(unsigned first, std::string_view payload, std::uint64_t length = ~0ull,
                  int wide = -1) {
    const std::uint64_t told = length == ~0ull ? payload.size() : length;
    std::string out(1, static_cast<char>(first));
    if (wide < 0) wide = told < 126 ? 0 : told <= 0xFFFF ? 2 : 8;
    out += static_cast<char>(0x80 | (wide == 0 ? told : wide == 2 ? 126 : 127));
    for (int i = wide; i-- > 0;) out += static_cast<char>(told >> (8 * i) & 0xFF);
    constexpr std::string_view mask = "\x12\x34\x56\x78";
    out += mask;
    for (std::size_t i = 0; i < payload.size(); ++i)
        out += static_cast<char>(payload[i] ^ mask[i & 3]);
    return out;
}

struct outcome {
    std::vector<socket_message> messages;
    int broken = 0;  ///< the close code, 0 when it is not
};

outcome read(std::string_view bytes, std::size_t step) {
    socket_reader reader{most};
    outcome out;
    while (!bytes.empty()) {
        std::string_view piece = bytes.substr(0, step);
        bytes.remove_prefix(piece.size());
        while (!piece.empty()) {
            const reading what = reader.next(piece);
            if (what == reading::more) break;
            if (what == reading::broken) {
                out.broken = static_cast<int>(reader.fault().code);
                CHECK(reader.next(piece) == reading::broken);
                return out;
            }
            out.messages.push_back(std::move(reader.message()));
        }
    }
    return out;
}

outcome read_all_ways(const std::string& bytes) {
    outcome whole = read(bytes, bytes.size());
    for (const std::size_t step : {1, 2, 3, 7}) {
        const outcome pieces = read(bytes, step);
        CHECK(pieces.broken == whole.broken);
        REQUIRE(pieces.messages.size() == whole.messages.size());
        for (std::size_t i = 0; i < whole.messages.size(); ++i) {
            CHECK(pieces.messages[i].kind == whole.messages[i].kind);
            CHECK(pieces.messages[i].payload == whole.messages[i].payload);
            CHECK(pieces.messages[i].close_code == whole.messages[i].close_code);
        }
    }
    return whole;
}

int broken_by(const std::string& bytes) { return read_all_ways(bytes).broken; }

}  // namespace

TEST_CASE("socket frames: texts of every length form, however they are cut") {
    const std::string text(300, 'x');
    const outcome got = read_all_ways(frame(0x81, "") + frame(0x81, "hello") +
                                      frame(0x82, std::string(125, 'b')) + frame(0x81, text));
    REQUIRE(got.messages.size() == 4);
    CHECK(got.broken == 0);
    CHECK(got.messages[0].payload.empty());
    CHECK(got.messages[1].kind == socket_opcode::text);
    CHECK(got.messages[1].payload == "hello");
    CHECK(got.messages[2].kind == socket_opcode::binary);
    CHECK(got.messages[3].payload == text);
}

TEST_CASE("socket frames: fragments are one message, control frames come between them") {
    const outcome got = read_all_ways(frame(0x01, "a") + frame(0x89, "p") + frame(0x00, "b") +
                                      frame(0x8A, "") + frame(0x80, "c") + frame(0x81, "d"));
    REQUIRE(got.messages.size() == 4);
    CHECK(got.messages[0].kind == socket_opcode::ping);
    CHECK(got.messages[0].payload == "p");
    CHECK(got.messages[1].kind == socket_opcode::pong);
    CHECK(got.messages[2].kind == socket_opcode::text);
    CHECK(got.messages[2].payload == "abc");
    CHECK(got.messages[3].payload == "d");
}

TEST_CASE("socket frames: a close frame has a code and a reason, or neither") {
    const outcome got = read_all_ways(frame(0x88, "") + frame(0x88, "\x03\xE8") +
                                      frame(0x88, std::string{"\x0F\xA0"} + "bye"));
    REQUIRE(got.messages.size() == 3);
    CHECK(got.messages[0].close_code == 1005);
    CHECK(got.messages[1].close_code == 1000);
    CHECK(got.messages[2].close_code == 4000);
    CHECK(got.messages[2].payload == "bye");
    CHECK(broken_by(frame(0x88, "\x03")) == 1002);
    for (const char* code : {"\x03\xE7", "\x03\xEC", "\x03\xED", "\x03\xEE", "\x03\xF7", "\x0B\xB7",
                             "\x13\x88", "\xFF\xFF"})
        CHECK(broken_by(frame(0x88, code)) == 1002);
    CHECK(broken_by(frame(0x88, "\x03\xE8\xFF")) == 1007);
}

TEST_CASE("socket frames: what the protocol forbids breaks the connection") {
    CHECK(broken_by(frame(0xC1, "x")) == 1002);  // reserved bits
    CHECK(broken_by(frame(0x91, "x")) == 1002);
    CHECK(broken_by("\x81\x01x") == 1002);       // not masked
    CHECK(broken_by(frame(0x83, "x")) == 1002);  // unknown opcodes
    CHECK(broken_by(frame(0x87, "x")) == 1002);
    CHECK(broken_by(frame(0x8B, "x")) == 1002);
    CHECK(broken_by(frame(0x8F, "")) == 1002);
    CHECK(broken_by(frame(0x09, "x")) == 1002);  // a fragmented ping
    CHECK(broken_by(frame(0x89, std::string(126, 'x'))) == 1002);
    CHECK(broken_by(frame(0x80, "x")) == 1002);  // continues nothing
    CHECK(broken_by(frame(0x01, "x") + frame(0x81, "y")) == 1002);
    CHECK(broken_by(frame(0x81, "hello", 5, 2)) == 1002);  // lengths longer than needed
    CHECK(broken_by(frame(0x81, "hello", 5, 8)) == 1002);
    CHECK(broken_by(frame(0x81, "", 1ull << 63, 8)) == 1002);
    CHECK(broken_by(frame(0x81, "\xFF")) == 1007);
    CHECK(broken_by(frame(0x01, "\xC3") + frame(0x80, "(")) == 1007);
}

TEST_CASE("socket frames: a character may be cut by fragments") {
    const outcome got = read_all_ways(frame(0x01, "\xC3") + frame(0x80, "\xA9"));
    REQUIRE(got.messages.size() == 1);
    CHECK(got.messages[0].payload == "\xC3\xA9");
}

TEST_CASE("socket frames: a message's length is bounded before its bytes come") {
    CHECK(read_all_ways(frame(0x81, std::string(most, 'x'))).messages.size() == 1);
    CHECK(broken_by(frame(0x81, "", most + 1)) == 1009);
    CHECK(broken_by(frame(0x81, "", ~0ull >> 1, 8)) == 1009);
    CHECK(broken_by(frame(0x01, std::string(most, 'x')) + frame(0x80, "", 1)) == 1009);
    CHECK(read_all_ways(frame(0x01, std::string(most, 'x')) + frame(0x80, "")).messages.size() ==
          1);
}

TEST_CASE("socket frames: what is sent has its shortest length and no mask") {
    std::string out;
    append_socket_frame(out, socket_opcode::text, "hi");
    CHECK(out == "\x81\x02hi");
    out.clear();
    append_socket_head(out, socket_opcode::text, 126);
    CHECK(out == std::string_view{"\x81\x7E\x00\x7E", 4});
    out.clear();
    append_socket_head(out, socket_opcode::text, 65'536);
    CHECK(out == std::string_view{"\x81\x7F\0\0\0\0\0\x01\0\0", 10});
    out.clear();
    append_socket_close(out, socket_close::going_away, "later");
    CHECK(out == "\x88\x07\x03\xE9later");
    out.clear();
    // Cut before the character that does not fit whole.
    append_socket_close(out, socket_close::normal, std::string(122, 'x') + "\xC3\xA9");
    CHECK(out.size() == 2 + 2 + 122);
}

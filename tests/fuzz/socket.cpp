// WebSocket framing: any pieces give the same messages and the same end.
#include "base/names.hpp"
#include "fuzz/target.hpp"
#include "gateway/socket_frames.hpp"

#include <string>

namespace {

using namespace flexcore;
using namespace flexcore::gateway;
using fuzz::require;

constexpr std::size_t message_bytes_max = 1024;

class client_bytes {
public:
    void take(std::string_view bytes) {
        while (!over_) {
            switch (reader_.next(bytes)) {
                case socket_reader::reading::more:
                    require(bytes.empty(), "all bytes are taken when more are wanted");
                    return;
                case socket_reader::reading::message:
                    note(reader_.message());
                    break;
                case socket_reader::reading::broken:
                    over_ = true;
                    said_ += "broken " +
                             std::to_string(static_cast<unsigned>(reader_.fault().code)) + ' ' +
                             std::string{reader_.fault().reason};
                    break;
            }
        }
    }
    [[nodiscard]] const std::string& said() const noexcept { return said_; }

private:
    void note(const socket_message& message) {
        require(message.payload.size() <= message_bytes_max, "a message within its bound");
        require(message.kind != socket_opcode::continuation, "a whole message");
        if (message.kind == socket_opcode::text || message.kind == socket_opcode::close)
            require(is_utf8(message.payload), "text is UTF-8");
        said_ += std::to_string(static_cast<unsigned>(message.kind)) + ' ' +
                 std::to_string(message.close_code) + ' ' + message.payload + '\n';
    }

    socket_reader reader_{message_bytes_max};
    std::string said_;
    bool over_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::text_of(data, size);
    client_bytes whole;
    whole.take(text);
    for (const std::size_t piece_max : {1, 20}) {
        client_bytes pieces;
        for (const auto piece : fuzz::pieces_of(text, piece_max)) pieces.take(piece);
        require(pieces.said() == whole.said(), "any pieces give the same messages");
    }
    return 0;
}

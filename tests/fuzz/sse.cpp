// The client's parser of Server-Sent Events: any pieces, the same messages.
#include "cli/sse.hpp"

#include "fuzz/target.hpp"

namespace {

using namespace flexcore;
using fuzz::require;

std::string messages(std::string_view text, std::size_t piece_max) {
    cli::sse_parser parser;
    std::string said;
    const auto write = [&](const std::vector<cli::sse_message>& all) {
        for (const auto& one : all) {
            require(!one.event.empty(), "every message has an event");
            require(one.id.find_first_of("\r\n") == std::string::npos, "an id is one line");
            said +=
                one.id + '|' + (one.has_id ? "1" : "0") + '|' + one.event + '|' + one.data + "\n\n";
        }
    };
    if (piece_max == 0) {
        write(parser.feed(text));
    } else {
        for (const auto piece : fuzz::pieces_of(text, piece_max)) write(parser.feed(piece));
    }
    return said;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::text_of(data, size);
    const std::string whole = messages(text, 0);
    require(messages(text, 1) == whole, "byte by byte gives the same messages");
    require(messages(text, 9) == whole, "any pieces give the same messages");
    return 0;
}

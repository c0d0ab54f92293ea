#include "cli/sse.hpp"

namespace flexcore::cli {

std::vector<sse_message> sse_parser::feed(std::string_view bytes) {
    std::vector<sse_message> out;
    for (const char c : bytes) {
        // The LF of a CRLF whose CR has ended the line already.
        const bool second_half = after_cr_ && c == '\n';
        after_cr_ = c == '\r';
        if (second_half) continue;
        if (c != '\n' && c != '\r') {
            rest_ += c;
            continue;
        }
        line(rest_, out);
        rest_.clear();
    }
    return out;
}

void sse_parser::line(std::string_view text, std::vector<sse_message>& out) {
    if (text.empty()) {
        if (began_) {
            if (next_.event.empty()) next_.event = "message";
            out.push_back(next_);
        }
        next_ = {next_.id, false, {}, {}};
        began_ = has_data_ = false;
        return;
    }
    const std::size_t colon = text.find(':');
    if (colon == 0) return;
    const std::string_view name = text.substr(0, colon);
    std::string_view value =
        colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (name == "id") {
        next_.id = value;
        next_.has_id = began_ = true;
    } else if (name == "event") {
        next_.event = value;
        began_ = true;
    } else if (name == "data") {
        if (has_data_) next_.data += '\n';
        next_.data += value;
        has_data_ = began_ = true;
    }
}

}  // namespace flexcore::cli

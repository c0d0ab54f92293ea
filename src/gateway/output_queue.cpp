#include "gateway/output_queue.hpp"

#include <utility>

namespace flexcore::gateway {

std::string& output_queue::tail() {
    if (pieces_.empty() || pieces_.back().owner || pieces_.back().text.size() >= tail_bytes_max) {
        piece next;
        next.text = std::move(spare_);
        next.text.clear();
        pieces_.push_back(std::move(next));
    }
    return pieces_.back().text;
}

void output_queue::append(std::string_view text) {
    tail() += text;
    bytes_ += text.size();
}

void output_queue::append(std::string&& text) {
    if (text.size() <= copied_bytes_max) return append(std::string_view{text});
    bytes_ += text.size();
    piece next;
    next.text = std::move(text);
    pieces_.push_back(std::move(next));
}

void output_queue::append(std::shared_ptr<const void> owner, std::string_view view) {
    if (view.size() <= copied_bytes_max) return append(view);
    bytes_ += view.size();
    pieces_.push_back({{}, std::move(owner), view});
}

std::size_t output_queue::gather(std::span<std::string_view> out) const noexcept {
    std::size_t count = 0;
    for (const piece& one : pieces_) {
        if (count == out.size()) break;
        std::string_view bytes = one.bytes();
        if (count == 0) bytes.remove_prefix(sent_);
        out[count++] = bytes;
    }
    return count;
}

void output_queue::consume(std::size_t bytes) {
    bytes_ -= bytes;
    sent_ += bytes;
    while (!pieces_.empty() && sent_ >= pieces_.front().bytes().size()) {
        piece& first = pieces_.front();
        sent_ -= first.bytes().size();
        if (first.text.capacity() > spare_.capacity() && first.text.capacity() <= spare_bytes_max)
            spare_ = std::move(first.text);
        pieces_.pop_front();
    }
}

void output_queue::clear() {
    pieces_.clear();
    sent_ = bytes_ = 0;
}

}  // namespace flexcore::gateway

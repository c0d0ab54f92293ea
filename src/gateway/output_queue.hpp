// output_queue: bytes on their way to a socket, small ones joined, large ones kept where they are.
//
// Threads: one.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace flexcore::gateway {

class output_queue {
public:
    /// The text to which small bytes may be appended directly; count them with `grown`.
    [[nodiscard]] std::string& tail();
    void grown(std::size_t bytes) noexcept { bytes_ += bytes; }
    void append(std::string_view);
    void append(std::string&&);
    void append(std::shared_ptr<const void> owner, std::string_view);

    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    /// In memory: what has been sent of a large piece stays until all of it is.
    [[nodiscard]] std::size_t held() const noexcept { return bytes_ + sent_; }
    [[nodiscard]] bool empty() const noexcept { return bytes_ == 0; }
    /// The first pieces, as many as `out` holds; answers how many.
    [[nodiscard]] std::size_t gather(std::span<std::string_view> out) const noexcept;
    void consume(std::size_t bytes);
    void clear();

private:
    /// Beyond this a body is not copied behind others but sent from where it is.
    static constexpr std::size_t copied_bytes_max = 4096;
    /// A text this long is closed; the next small bytes begin another.
    static constexpr std::size_t tail_bytes_max = 64u << 10;
    /// Capacity kept for the next answer when everything has been sent.
    static constexpr std::size_t spare_bytes_max = 8192;

    struct piece {
        std::string text;
        std::shared_ptr<const void> owner;
        std::string_view view;  ///< when there is an owner
        [[nodiscard]] std::string_view bytes() const noexcept {
            return owner ? view : std::string_view{text};
        }
    };
    std::deque<piece> pieces_;
    std::string spare_;
    std::size_t sent_ = 0;  ///< of the first piece
    std::size_t bytes_ = 0;
};

}  // namespace flexcore::gateway

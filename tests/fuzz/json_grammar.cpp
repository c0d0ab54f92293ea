#include "fuzz/json_grammar.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace flexcore::fuzz {
namespace {

/// Walks without recursion, so that any depth fits.
class walker {
public:
    explicit walker(std::string_view text) : text_{text} {}

    [[nodiscard]] bool run() {
        space();
        for (;;) {
            if (!begin()) return false;
            // A value has ended: close what ends with it.
            for (;;) {
                space();
                if (open_.empty()) return at_ == text_.size();
                if (take(',')) break;
                if (!take(open_.back() == '{' ? '}' : ']')) return false;
                open_.pop_back();
            }
            space();
            if (open_.back() == '{' && !member()) return false;
        }
    }

private:
    [[nodiscard]] char now() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    bool take(char c) {
        if (at_ >= text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    void space() {
        while (at_ < text_.size() && std::string_view{" \t\n\r"}.contains(text_[at_])) ++at_;
    }
    bool word(std::string_view expected) {
        if (!text_.substr(at_).starts_with(expected)) return false;
        at_ += expected.size();
        return true;
    }

    /// Opens containers until a value is complete, an empty container included.
    bool begin() {
        for (;;) {
            if (take('[')) {
                space();
                if (take(']')) return true;
                open_.push_back('[');
                continue;
            }
            if (take('{')) {
                space();
                if (take('}')) return true;
                open_.push_back('{');
                if (!member()) return false;
                continue;
            }
            if (now() == '"') return string();
            return word("true") || word("false") || word("null") || number();
        }
    }

    /// A name and its colon.
    bool member() {
        if (!string()) return false;
        space();
        if (!take(':')) return false;
        space();
        return true;
    }

    bool digits() {
        const std::size_t from = at_;
        while (now() >= '0' && now() <= '9') ++at_;
        return at_ > from;
    }

    bool number() {
        (void)take('-');
        if (!take('0') && !digits()) return false;
        if (take('.') && !digits()) return false;
        if (take('e') || take('E')) {
            if (!take('+')) (void)take('-');
            if (!digits()) return false;
        }
        return true;
    }

    bool hex(std::uint32_t& unit) {
        unit = 0;
        for (int i = 0; i < 4; ++i, ++at_) {
            const char c = now();
            std::uint32_t digit = 0;
            if (c >= '0' && c <= '9')
                digit = static_cast<std::uint32_t>(c - '0');
            else if (c >= 'a' && c <= 'f')
                digit = static_cast<std::uint32_t>(c - 'a' + 10);
            else if (c >= 'A' && c <= 'F')
                digit = static_cast<std::uint32_t>(c - 'A' + 10);
            else
                return false;
            unit = unit * 16 + digit;
        }
        return true;
    }

    bool escape() {
        if (take('u')) {
            std::uint32_t unit = 0;
            if (!hex(unit) || (unit >= 0xDC00 && unit <= 0xDFFF)) return false;
            if (unit < 0xD800 || unit > 0xDBFF) return true;
            return take('\\') && take('u') && hex(unit) && unit >= 0xDC00 && unit <= 0xDFFF;
        }
        if (at_ >= text_.size() || !std::string_view{"\"\\/bfnrt"}.contains(text_[at_]))
            return false;
        ++at_;
        return true;
    }

    /// One character of more than one byte, as table 3-7 of the Unicode Standard lists them.
    bool beyond_ascii() {
        const auto byte = [&](std::size_t i) {
            return at_ + i < text_.size() ? static_cast<unsigned char>(text_[at_ + i]) : 0U;
        };
        const auto between = [&](std::size_t i, unsigned least, unsigned most) {
            return byte(i) >= least && byte(i) <= most;
        };
        std::size_t size = 0;
        if (between(0, 0xC2, 0xDF))
            size = 2;
        else if (between(0, 0xE0, 0xEF))
            size = 3;
        else if (between(0, 0xF0, 0xF4))
            size = 4;
        else
            return false;
        const unsigned least = byte(0) == 0xE0 ? 0xA0 : byte(0) == 0xF0 ? 0x90 : 0x80;
        const unsigned most = byte(0) == 0xED ? 0x9F : byte(0) == 0xF4 ? 0x8F : 0xBF;
        if (!between(1, least, most)) return false;
        for (std::size_t i = 2; i < size; ++i)
            if (!between(i, 0x80, 0xBF)) return false;
        at_ += size;
        return true;
    }

    bool string() {
        if (!take('"')) return false;
        while (at_ < text_.size()) {
            const auto c = static_cast<unsigned char>(text_[at_]);
            if (c == '"') {
                ++at_;
                return true;
            }
            if (c < 0x20) return false;
            if (c == '\\') {
                ++at_;
                if (!escape()) return false;
            } else if (c < 0x80) {
                ++at_;
            } else if (!beyond_ascii()) {
                return false;
            }
        }
        return false;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::vector<char> open_;
};

}  // namespace

bool is_json(std::string_view text) { return walker{text}.run(); }

}  // namespace flexcore::fuzz

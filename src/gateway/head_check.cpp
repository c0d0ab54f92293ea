#include "gateway/head_check.hpp"

#include "gateway/errc.hpp"
#include "gateway/header_values.hpp"

#include <array>
#include <charconv>

namespace flexcore::gateway {
namespace {

[[nodiscard]] std::unexpected<error> bad(std::string text) {
    return fail(gateway_errc::bad_request, std::move(text));
}

constexpr auto make_token_table() {
    std::array<bool, 256> table{};
    for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = true;
    for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
    for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
    for (const char c : std::string_view{"!#$%&'*+-.^_`|~"})
        table[static_cast<unsigned char>(c)] = true;
    return table;
}
constexpr std::array<bool, 256> token_chars = make_token_table();

bool is_token(std::string_view text) {
    if (text.empty()) return false;
    for (const char c : text)
        if (!token_chars[static_cast<unsigned char>(c)]) return false;
    return true;
}

/// A host and maybe a port; empty is allowed (RFC 9110, 7.2).
bool is_host(std::string_view text) {
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte <= 0x20 || byte >= 0x7F) return false;
        if (std::string_view{"/?#@\\,\"<>^`{|}"}.find(c) != std::string_view::npos) return false;
    }
    return true;
}

struct framing_fields {
    int host = 0, content_length = 0, transfer_encoding = 0;
};

result<void> check_request_line(std::string_view line, bool& http10) {
    const std::size_t first = line.find(' ');
    if (first == line.npos || !is_token(line.substr(0, first)))
        return bad("The request line does not begin with a method and one space.");
    const std::size_t second = line.find(' ', first + 1);
    if (second == line.npos) return bad("The request line has no HTTP version.");
    const std::string_view target = line.substr(first + 1, second - first - 1);
    const std::string_view version = line.substr(second + 1);
    if (target.empty()) return bad("The request line has no target.");
    if (target.size() > target_bytes_max)
        return fail(gateway_errc::uri_too_long, "The request target is longer than 8192 bytes.");
    for (const char c : target) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte <= 0x20 || byte >= 0x7F)
            return bad("The request target has a byte that must be percent-encoded.");
    }
    if (version != "HTTP/1.1" && version != "HTTP/1.0")
        return bad("The HTTP version must be 1.1 or 1.0.");
    http10 = version == "HTTP/1.0";
    return {};
}

result<void> check_framing_field(std::string_view name, std::string_view value, bool http10,
                                 framing_fields& seen) {
    switch (name.size()) {
        case 4:
            if (!same_ignoring_case(name, "host")) return {};
            if (++seen.host > 1) return bad("The request has more than one Host field.");
            if (!is_host(value)) return bad("The Host field is not a host.");
            return {};
        case 14: {
            if (!same_ignoring_case(name, "content-length")) return {};
            if (++seen.content_length > 1)
                return bad("The request has more than one Content-Length field.");
            std::uint64_t length = 0;
            const auto [end, code] =
                std::from_chars(value.data(), value.data() + value.size(), length);
            if (value.empty() || code != std::errc{} || end != value.data() + value.size())
                return bad("Content-Length is not one decimal number.");
            break;
        }
        case 17:
            if (!same_ignoring_case(name, "transfer-encoding")) return {};
            if (++seen.transfer_encoding > 1)
                return bad("The request has more than one Transfer-Encoding field.");
            if (http10) return bad("HTTP/1.0 has no Transfer-Encoding.");
            if (!same_ignoring_case(value, "chunked"))
                return bad("The only transfer coding taken is \"chunked\".");
            break;
        default:
            return {};
    }
    if (seen.content_length != 0 && seen.transfer_encoding != 0)
        return bad("The request has both Content-Length and Transfer-Encoding.");
    return {};
}

}  // namespace

void head_scanner::reset() noexcept {
    at_ = 0;
    line_begin_ = 0;
    after_cr_ = false;
    first_line_ = true;
}

result<std::size_t> head_scanner::scan(std::string_view text) {
    for (; at_ < text.size(); ++at_) {
        const auto byte = static_cast<unsigned char>(text[at_]);
        if (byte == '\n') {
            if (!after_cr_) return bad("A line ends with LF alone; CR LF is needed.");
            after_cr_ = false;
            const bool empty = at_ - line_begin_ == 1;
            if (empty && first_line_) return bad("The request line is empty.");
            line_begin_ = at_ + 1;
            first_line_ = false;
            if (!empty) continue;
            if (at_ >= head_bytes_max_) break;
            return at_ + 1;
        }
        if (after_cr_) return bad("A CR is not followed by LF.");
        if (byte >= 0x20 && byte != 0x7F) continue;
        if (byte == '\r')
            after_cr_ = true;
        else if (byte != '\t' || first_line_)
            return bad("The request's head contains a control character.");
    }
    if (first_line_ && at_ > target_bytes_max + 64)
        return fail(gateway_errc::uri_too_long, "The request target is longer than 8192 bytes.");
    if (at_ >= head_bytes_max_)
        return fail(
            gateway_errc::header_too_large,
            "The request's head is larger than " + std::to_string(head_bytes_max_) + " bytes.");
    return 0;
}

result<void> check_head(std::string_view head) {
    std::size_t end = head.find("\r\n");
    bool http10 = false;
    if (auto line = check_request_line(head.substr(0, end), http10); !line) return line;

    framing_fields seen;
    std::size_t count = 0;
    for (std::size_t begin = end + 2;; begin = end + 2) {
        end = head.find("\r\n", begin);
        const std::string_view line = head.substr(begin, end - begin);
        if (line.empty()) break;
        if (line.front() == ' ' || line.front() == '\t')
            return bad("A header field is folded over several lines.");
        if (++count > header_fields_max)
            return fail(gateway_errc::header_too_large, "The request has over 100 header fields.");
        const std::size_t colon = line.find(':');
        if (colon == line.npos) return bad("A header line has no colon.");
        const std::string_view name = line.substr(0, colon);
        if (!name.empty() && (name.back() == ' ' || name.back() == '\t'))
            return bad("A header field's name is followed by space before its colon.");
        if (!is_token(name)) return bad("A header field's name is not a token.");
        if (auto ok = check_framing_field(name, trim_space(line.substr(colon + 1)), http10, seen);
            !ok)
            return ok;
    }
    if (seen.host == 0 && !http10) return bad("The request has no Host field.");
    return {};
}

}  // namespace flexcore::gateway

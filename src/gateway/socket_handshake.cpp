#include "gateway/socket_handshake.hpp"

#include "base/check.hpp"
#include "gateway/errc.hpp"
#include "gateway/header_values.hpp"
#include "gateway/problem.hpp"

#include <openssl/evp.h>

namespace flexcore::gateway {
namespace {

constexpr std::string_view version = "13";
constexpr std::string_view key_suffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Base64 of 16 bytes.
bool is_key(std::string_view text) noexcept {
    if (text.size() != 24 || !text.ends_with("==")) return false;
    for (const char c : text.substr(0, 22))
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              c == '+' || c == '/'))
            return false;
    // The last character carries four bits.
    return std::string_view{"AQgw"}.find(text[21]) != std::string_view::npos;
}

}  // namespace

std::string socket_accept(std::string_view key) {
    const std::string text = std::string{key} + std::string{key_suffix};
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    FLEXCORE_CHECK(EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha1(), nullptr) == 1);
    std::string out(4 * ((size + 2) / 3) + 1, '\0');
    const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), digest,
                                       static_cast<int>(size));
    out.resize(static_cast<std::size_t>(length));
    return out;
}

result<response> open_socket(const request& asked) {
    const socket_fields& fields = asked.fields.socket;
    if (asked.method != verb::get || asked.http10 || !fields.connection_upgrade ||
        !list_has(fields.upgrade, "websocket") || fields.version != version)
        return fail(gateway_errc::upgrade_required,
                    "This call is a WebSocket, version 13; ask for the upgrade.");
    if (!is_key(fields.key))
        return fail(gateway_errc::bad_request, "Sec-WebSocket-Key is not 16 bytes in base64.");
    response out;
    out.status = 101;
    out.content_type = {};
    out.headers.push_back({"Upgrade", "websocket"});
    out.headers.push_back({"Connection", "Upgrade"});
    out.headers.push_back({"Sec-WebSocket-Accept", socket_accept(fields.key)});
    return out;
}

response refused_socket(const error& e, const request& asked) {
    response out = problem_response(e, asked);
    if (out.status == 426) {
        out.headers.push_back({"Upgrade", "websocket"});
        out.headers.push_back({"Connection", "Upgrade"});
        out.headers.push_back({"Sec-WebSocket-Version", std::string{version}});
    }
    return out;
}

}  // namespace flexcore::gateway

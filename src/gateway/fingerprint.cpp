#include "gateway/fingerprint.hpp"

#include "base/check.hpp"

#include <openssl/evp.h>

#include <cstdint>
#include <memory>

namespace flexcore::gateway {

std::string fingerprint(std::string_view where, std::string_view body) {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(),
                                                                          &EVP_MD_CTX_free};
    // The length in front keeps ("ab","c") and ("a","bc") apart.
    const std::uint64_t length = where.size();
    unsigned char digest[32];
    FLEXCORE_CHECK(context != nullptr &&
                   EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1 &&
                   EVP_DigestUpdate(context.get(), &length, sizeof length) == 1 &&
                   EVP_DigestUpdate(context.get(), where.data(), where.size()) == 1 &&
                   EVP_DigestUpdate(context.get(), body.data(), body.size()) == 1 &&
                   EVP_DigestFinal_ex(context.get(), digest, nullptr) == 1);
    constexpr std::string_view hex = "0123456789abcdef";
    std::string out;
    out.reserve(2 * sizeof digest);
    for (const unsigned char byte : digest) {
        out += hex[byte >> 4];
        out += hex[byte & 15];
    }
    return out;
}

}  // namespace flexcore::gateway

// Fingerprint of a request, compared when its idempotency key comes again.
#pragma once

#include <string>
#include <string_view>

namespace flexcore::gateway {

/// SHA-256 over the parts with their lengths, as 64 hex digits. Any thread.
[[nodiscard]] std::string fingerprint(std::string_view where, std::string_view body);

}  // namespace flexcore::gateway

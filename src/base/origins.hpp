// Origins of web pages: which of them may ask this server from a browser.
//
// Form:    "scheme://host[:port]" (RFC 6454), compared in lower case and without the scheme's own
//          port. "null" and lists are never one.
// Threads: values; an origin_list is immutable once made.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore {

/// The one form of an origin that is http or https; nullopt when it is none.
[[nodiscard]] std::optional<std::string> canonical_origin(std::string_view);
/// Whether a page of this origin came from the server the Host field names. Only an IP address and
/// localhost say so: whoever owns any other name can let it point to this server once the page has
/// been loaded (DNS rebinding), so such names have to be in the list.
[[nodiscard]] bool is_same_host(std::string_view origin, std::string_view host);

class origin_list {
public:
    origin_list() = default;
    /// Entries that are no origin are left out; settings refuse them before.
    explicit origin_list(const std::vector<std::string>& allowed);
    [[nodiscard]] bool empty() const noexcept { return all_.empty(); }
    /// `origin` as a browser sends it.
    [[nodiscard]] bool allows(std::string_view origin) const;

private:
    std::vector<std::string> all_;
};

}  // namespace flexcore

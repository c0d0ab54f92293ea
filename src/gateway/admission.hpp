// admission: what every request must pass before its handler sees it: ids, tenant, route, argument
// names, origin, content type, idempotency key.
//
// Threads: one target_cache and one request_ids per io thread; the rest is free of state.
#pragma once

#include "base/origins.hpp"
#include "gateway/request.hpp"
#include "gateway/response.hpp"
#include "gateway/router.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace flexcore::gateway {

/// Targets of GET seen lately with what they lead to, so that the usual ones are taken apart once.
class target_cache {
public:
    [[nodiscard]] std::shared_ptr<const resolved_target> find(std::string_view target) const;
    /// Forgets everything when full: simple, and targets that matter are back at once.
    void keep(std::string_view target, std::shared_ptr<const resolved_target>);

private:
    static constexpr std::size_t entries_max = 4096;
    static constexpr std::size_t target_bytes_kept_max = 512;
    struct hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept {
            return std::hash<std::string_view>{}(text);
        }
    };
    std::unordered_map<std::string, std::shared_ptr<const resolved_target>, hash, std::equal_to<>>
        entries_;
};

/// Ids for requests that bring none: 13 characters, unique over threads and restarts.
class request_ids {
public:
    request_ids();
    [[nodiscard]] std::string next();

private:
    std::uint64_t next_;
};

/// Completes `asked` from its fields. An answer means: send this, do not call the handler.
[[nodiscard]] std::optional<response> admit(request& asked, bool has_body, const router&,
                                            target_cache&, request_ids&,
                                            const origin_list& allowed);

}  // namespace flexcore::gateway

// Changes of streams, and what is served of them.
#pragma once

#include "contract/harness.hpp"

#include <algorithm>
#include <thread>

namespace contract {

using list = std::vector<version>;
using change_kind = stream_change::kind;

result<append_outcome> sent(event_log&, append_request);
result<append_outcome> changed(event_log&, const std::string& stream, change_kind what,
                               expected_version expected = any,
                               const stream_settings& settings = {});
result<append_outcome> set(event_log&, const std::string& stream, const stream_settings& settings,
                           expected_version expected = any);
result<append_outcome> soft_delete(event_log&, const std::string& stream,
                                   expected_version expected = any);
result<append_outcome> bury(event_log&, const std::string& stream, expected_version expected = any);

/// The versions a read of the whole stream gives, page by page.
list served(event_log&, const std::string& stream, direction way = direction::forward,
            std::size_t limit = 1000);

}  // namespace contract

// What is known of a stream, as JSON. Free functions, any thread.
#pragma once

#include "store/event_log.hpp"

#include <string>

namespace flexcore::gateway {

void append_stream_info(std::string& out, const store::stream_info&);

}  // namespace flexcore::gateway

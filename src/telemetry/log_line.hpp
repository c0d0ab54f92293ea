// How one line of the log looks. Private to telemetry.
#pragma once

#include "base/clock.hpp"
#include "telemetry/log.hpp"

#include <initializer_list>
#include <string>
#include <string_view>

namespace flexcore::telemetry {

struct log_entry {
    unix_us time;
    level severity;
    std::string_view logger;
    std::string_view message;
    std::initializer_list<field> fields;
};

/// Appends `{"ts":…,"level":…,"logger":…,"msg":…,fields…}`: one line of valid JSON whatever bytes
/// the entry carries. Bytes that are not UTF-8 become U+FFFD, numbers without a value strings.
void append_json_line(std::string& out, const log_entry&);

/// Appends `time LEVEL logger message key=value…`. Never more than one line: whatever holds
/// spaces, quotes or control characters stands as a JSON string.
void append_text_line(std::string& out, const log_entry&, bool colour);

}  // namespace flexcore::telemetry

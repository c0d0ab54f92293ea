#include "gateway/stream_json.hpp"

#include "base/names.hpp"
#include "gateway/json_object.hpp"

namespace flexcore::gateway {

void append_stream_info(std::string& out, const store::stream_info& info) {
    json_object whole{out};
    whole.text("stream", info.stream)
        .text("category", category_of(info.stream))
        .number("version", info.ver)
        .text("created_at", format_time(info.created_at))
        .text("updated_at", format_time(info.updated_at))
        .begin("settings");
    json_object settings{out};
    if (info.settings.max_age_s) settings.number("max_age_s", *info.settings.max_age_s);
    if (info.settings.max_count) settings.number("max_count", *info.settings.max_count);
    if (info.settings.truncate_before)
        settings.number("truncate_before", *info.settings.truncate_before);
    settings.end();
    whole.end();
}

}  // namespace flexcore::gateway

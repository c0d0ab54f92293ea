#include "gateway/command_body.hpp"

#include "base/names.hpp"
#include "gateway/body_reader.hpp"

namespace flexcore::gateway {

result<bus::command> read_command(json::slice value, std::string pointer) {
    findings found;
    object_reader from{value, std::move(pointer), found};
    bus::command out;
    if (auto type = from.require_text("type")) {
        if (!is_name(*type)) from.bad("type", name_rule);
        out.type = std::move(*type);
    }
    if (auto id = from.require_text("id")) {
        if (!is_stream_name(*id) || id->size() > aggregate_id_bytes_max)
            from.bad("id", "must be 1 to 255 bytes of UTF-8 without control characters");
        out.aggregate_id = std::move(*id);
    }
    if (const auto data = from.require("data")) out.data = data->text;
    if (const auto metadata = from.take("metadata"))
        out.metadata = read_metadata(*metadata, from.pointer("metadata"), found);
    if (const auto expected = from.take("expected_version")) {
        out.expected = read_expected_version(*expected);
        if (!out.expected)
            from.bad("expected_version",
                     "must be a version or one of \"any\", \"none\" and \"exists\"");
    }
    if (auto id = from.text("command_id")) {
        out.command_id = parse_uuid(*id);
        if (!out.command_id) from.bad("command_id", "must be a UUID");
    }
    from.finish();
    if (found.any()) return fail(found.to_error());
    return out;
}

}  // namespace flexcore::gateway

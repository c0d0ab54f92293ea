// JSON bodies of appends and commands, as the routes read them. The first byte says which.
#include "base/json.hpp"
#include "base/names.hpp"
#include "fuzz/target.hpp"
#include "gateway/append_body.hpp"
#include "gateway/body_reader.hpp"
#include "gateway/command_body.hpp"

#include <algorithm>

namespace {

using namespace flexcore;
using namespace flexcore::gateway;
using fuzz::require;

void check(const store::append_request& request) {
    require(request.backing != nullptr, "somebody owns the texts");
    require(!request.appends.empty(), "an append is for a stream");
    std::size_t events = 0;
    for (const auto& one : request.appends) {
        require(is_stream_name(one.stream), "a stream's name");
        events += one.events.size();
        for (const auto& event : one.events) {
            require(is_name(event.type), "an event's type is a name");
            const auto data = json::parse(event.data);
            require(data && data->text == event.data, "data is one JSON value");
            if (!event.metadata.empty()) {
                const auto metadata = json::parse(event.metadata);
                require(metadata && metadata->type() == json::kind::object, "metadata an object");
            }
            require(event.schema_version >= 1, "schema versions begin at 1");
            require(event.tags.size() <= 100, "at most 100 tags");
            for (auto tag = event.tags.begin(); tag != event.tags.end(); ++tag) {
                require(is_name(*tag), "a tag is a name");
                require(std::find(event.tags.begin(), tag, *tag) == tag, "no tag twice");
            }
        }
    }
    require(events >= 1 && events <= events_per_append_max, "1 to 1000 events");
}

void check(const result<store::append_request>& read) {
    if (read) return check(*read);
    require(!read.error().client.empty() && is_utf8(read.error().client), "a refusal says why");
}

void command(std::string_view text) {
    const auto root = json::parse(text);
    if (!root) return;
    const auto read = read_command(*root, "");
    if (!read) return require(is_utf8(read.error().client), "a refusal can be shown");
    require(is_name(read->type), "a command's type is a name");
    require(is_stream_name(read->aggregate_id), "an aggregate's id");
    const auto data = json::parse(read->data);
    require(data && data->text == read->data, "data is one JSON value");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string text{fuzz::text_of(data + 1, size - 1)};
    switch (data[0] % 4) {
        case 0:
            check(read_stream_append(text, "stream-1", json::depth_max_default));
            break;
        case 1:
            check(read_append(text, json::depth_max_default));
            break;
        case 2:
            check(read_append_line(text, json::depth_max_default));
            break;
        default:
            command(text);
            break;
    }
    return 0;
}

#include "gateway/event_json.hpp"

#include "base/json.hpp"
#include "gateway/json_object.hpp"

namespace flexcore::gateway {
namespace {

/// Names and ids need no escaping.
void append_plain(std::string& out, std::string_view before, std::string_view text) {
    out += before;
    out += text;
}

constexpr std::size_t event_overhead_bytes = 300;

}  // namespace

void append_event(std::string& out, const store::recorded_event& event) {
    char id[36];
    event.id.write_to(id);
    char time[27];
    write_time(event.recorded_at, time);

    out += "{\"position\":";
    json::append_number(out, std::uint64_t{event.pos});
    out += ",\"stream\":";
    json::append_string(out, event.stream);
    out += ",\"version\":";
    json::append_number(out, std::uint64_t{event.ver});
    append_plain(out, ",\"id\":\"", {id, sizeof id});
    append_plain(out, "\",\"type\":\"", event.type);
    out += "\",\"schema_version\":";
    json::append_number(out, std::uint64_t{event.schema_version});
    append_plain(out, ",\"data\":", event.data);
    append_plain(out, ",\"metadata\":", event.metadata);
    out += ",\"tags\":[";
    for (std::size_t i = 0; i < event.tags.size(); ++i)
        append_plain(out, i == 0 ? "\"" : "\",\"", event.tags[i]);
    out += event.tags.empty() ? "]" : "\"]";
    append_plain(out, ",\"tenant\":\"", event.tenant);
    append_plain(out, "\",\"recorded_at\":\"", {time, sizeof time});
    out += "\"}";
}

std::string events_page(const store::event_batch& batch, std::string_view next) {
    std::string out;
    out.reserve(batch.bytes + batch.events.size() * event_overhead_bytes + 64);
    out += "{\"items\":[";
    bool first = true;
    for (const store::recorded_event& event : batch.events) {
        if (!first) out += ',';
        first = false;
        append_event(out, event);
    }
    out += "],\"next\":";
    if (next.empty())
        out += "null";
    else
        json::append_string(out, next);
    out += '}';
    return out;
}

void append_as_one_line(std::string& out, std::string_view text) {
    const std::size_t begin = out.size();
    out += text;
    for (std::size_t i = out.find_first_of("\r\n", begin); i != out.npos;
         i = out.find_first_of("\r\n", i))
        out[i] = ' ';
}

}  // namespace flexcore::gateway

#include "plugin/calls/message.hpp"

#include "base/check.hpp"

#include <cstring>

namespace flexcore::plugin {
namespace {

constexpr std::string_view json_type = "application/json";
constexpr std::size_t uuid_text_bytes = 36;

/// The call's own room for texts, sized once so that nothing moves.
class text_room {
public:
    text_room(call& of, std::size_t bytes) : texts_{of.texts} { texts_.resize(bytes); }
    [[nodiscard]] fxc_view keep(std::string_view text) {
        if (text.empty()) return {};
        FLEXCORE_CHECK(text.size() <= texts_.size() - used_);
        char* const at = texts_.data() + used_;
        std::memcpy(at, text.data(), text.size());
        used_ += text.size();
        return {at, text.size()};
    }
    [[nodiscard]] fxc_view keep(const uuid& id) {
        FLEXCORE_CHECK(uuid_text_bytes <= texts_.size() - used_);
        char* const at = texts_.data() + used_;
        id.write_to(at);
        used_ += uuid_text_bytes;
        return {at, uuid_text_bytes};
    }

private:
    std::vector<char>& texts_;
    std::size_t used_ = 0;
};

fxc_call_info make_info(const call& of) {
    fxc_call_info info{};
    info.struct_size = sizeof info;
    info.attempt = 1;
    // steady_clock is CLOCK_MONOTONIC here, in nanoseconds.
    if (of.until != no_deadline)
        info.deadline_ns = static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::nanoseconds>(of.until.time_since_epoch())
                .count());
    return info;
}

fxc_message make_message() {
    fxc_message message{};
    message.struct_size = sizeof message;
    message.content_type = view_of(json_type);
    return message;
}

void put_caller(call& of, text_room& room, const bus::caller& who) {
    of.info.tenant = room.keep(who.tenant);
    of.info.principal = room.keep(who.principal);
    of.info.traceparent = room.keep(who.traceparent);
}
std::size_t bytes_of(const bus::caller& who) {
    return who.tenant.size() + who.principal.size() + who.traceparent.size();
}

std::string_view or_empty_object(std::string_view json) { return json.empty() ? "{}" : json; }

void put_one(call& of, const fxc_message& message) {
    of.messages.push_back(message);
    of.pointers.push_back(&of.messages.front());
}

void put_event(fxc_message& to, const store::recorded_event& event) {
    to.version = event.ver;
    to.position = event.pos;
    to.time_unix_us = event.recorded_at;
    to.schema_version = event.schema_version;
    to.tag_count = static_cast<std::uint32_t>(event.tags.size());
}

}  // namespace

std::optional<std::string_view> text_of(fxc_view view, std::size_t bytes_max) noexcept {
    if (view.size == 0) return std::string_view{};
    if (view.data == nullptr || view.size > bytes_max) return std::nullopt;
    return std::string_view{static_cast<const char*>(view.data),
                            static_cast<std::size_t>(view.size)};
}

void fill_nothing(call& of) { of.info = make_info(of); }

void fill_command(call& of, const bus::accepted_command& accepted) {
    const bus::command& cmd = accepted.cmd;
    FLEXCORE_CHECK(cmd.command_id.has_value());
    const auto metadata = or_empty_object(cmd.metadata);
    text_room room{of, uuid_text_bytes + cmd.type.size() + accepted.stream.size() +
                           accepted.category.size() + metadata.size() + cmd.data.size() +
                           bytes_of(cmd.who)};
    of.info = make_info(of);
    put_caller(of, room, cmd.who);
    of.info.target = room.keep(accepted.category);
    fxc_message message = make_message();
    message.id = room.keep(*cmd.command_id);
    message.type = room.keep(cmd.type);
    message.stream = room.keep(accepted.stream);
    message.metadata = room.keep(metadata);
    message.payload = room.keep(cmd.data);
    message.time_unix_us = now_unix_us();
    of.info.idempotency_key = message.id;
    of.emit_stream = *text_of(message.stream, message.stream.size);
    put_one(of, message);
}

void fill_query(call& of, const bus::query& asked) {
    const auto params = or_empty_object(asked.params);
    text_room room{of, 2 * asked.name.size() + params.size() + bytes_of(asked.who)};
    of.info = make_info(of);
    put_caller(of, room, asked.who);
    of.info.target = room.keep(asked.name);
    fxc_message message = make_message();
    message.type = room.keep(asked.name);
    message.metadata = view_of("{}");
    message.payload = room.keep(params);
    put_one(of, message);
}

void fill_input(call& of, const bus::caller& who, std::string_view target,
                std::string_view content_type, std::string input) {
    text_room room{of, target.size() + content_type.size() + bytes_of(who)};
    of.info = make_info(of);
    put_caller(of, room, who);
    of.info.target = room.keep(target);
    auto kept = std::make_shared<const std::string>(std::move(input));
    fxc_message message = make_message();
    message.content_type = room.keep(content_type);
    message.metadata = view_of("{}");
    message.payload = view_of(*kept);
    of.keep = std::move(kept);
    put_one(of, message);
}

void fill_events(call& of, std::string_view tenant, std::string_view target,
                 std::span<const store::recorded_event> events) {
    std::size_t bytes = tenant.size() + target.size();
    std::size_t tags = 0;
    for (const auto& event : events) {
        bytes += uuid_text_bytes + event.type.size() + event.stream.size() + event.data.size() +
                 event.metadata.size();
        for (const auto tag : event.tags) bytes += tag.size();
        tags += event.tags.size();
    }
    text_room room{of, bytes};
    of.info = make_info(of);
    of.info.tenant = room.keep(tenant);
    of.info.target = room.keep(target);
    of.tags.reserve(tags);
    of.messages.reserve(events.size());
    of.pointers.reserve(events.size());
    for (const auto& event : events) {
        fxc_message message = make_message();
        put_event(message, event);
        message.id = room.keep(event.id);
        message.type = room.keep(event.type);
        message.stream = room.keep(event.stream);
        message.metadata = room.keep(event.metadata);
        message.payload = room.keep(event.data);
        message.tags = of.tags.data() + of.tags.size();
        for (const auto tag : event.tags) of.tags.push_back(room.keep(tag));
        of.messages.push_back(message);
        of.pointers.push_back(&of.messages.back());
    }
}

void borrowed_events::assign(std::span<const store::recorded_event> events) {
    std::size_t tags = 0;
    for (const auto& event : events) tags += event.tags.size();
    ids_.resize(events.size());
    tags_.clear();
    tags_.reserve(tags);
    messages_.clear();
    messages_.reserve(events.size());
    pointers_.clear();
    pointers_.reserve(events.size());
    for (std::size_t i = 0; i < events.size(); ++i) {
        const auto& event = events[i];
        fxc_message message = make_message();
        put_event(message, event);
        event.id.write_to(ids_[i].data());
        message.id = {ids_[i].data(), ids_[i].size()};
        message.type = view_of(event.type);
        message.stream = view_of(event.stream);
        message.metadata = view_of(event.metadata);
        message.payload = view_of(event.data);
        message.tags = tags_.data() + tags_.size();
        for (const auto tag : event.tags) tags_.push_back(view_of(tag));
        messages_.push_back(message);
        pointers_.push_back(&messages_.back());
    }
}

}  // namespace flexcore::plugin

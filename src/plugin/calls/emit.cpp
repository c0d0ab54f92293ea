#include "plugin/calls/emit.hpp"

#include "base/json.hpp"
#include "base/names.hpp"
#include "plugin/calls/message.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <span>

namespace flexcore::plugin {
namespace {

fxc_status refuse(call& of, fxc_status status, std::string why) {
    of.doom({call_failure::origin::contract, status, "emitted " + std::move(why), {}, {}});
    return status;
}

/// Tags as the store wants them: a span of views, both in the arena.
std::span<const std::string_view> keep_tags(bytes_arena& arena,
                                            std::span<const std::string_view> tags) {
    if (tags.empty()) return {};
    std::size_t room = tags.size_bytes() + alignof(std::string_view);
    void* at = arena.allocate(room);
    auto* const list = static_cast<std::string_view*>(
        std::align(alignof(std::string_view), tags.size_bytes(), at, room));
    for (std::size_t i = 0; i < tags.size(); ++i)
        new (list + i) std::string_view{arena.keep(tags[i])};
    return {list, tags.size()};
}

}  // namespace

fxc_status emit_event(call& of, const fxc_message* message) {
    if (of.emits_for == nullptr) return FXC_UNSUPPORTED;
    if (message == nullptr || message->struct_size < sizeof(fxc_message))
        return refuse(of, FXC_INVALID, "a message with a wrong struct_size");
    auto& decision = of.outcome.decision;
    if (decision.events.size() >= emitted_events_max)
        return refuse(of, FXC_BUSY, fmt::format("more than {} events", emitted_events_max));

    const auto type = text_of(message->type, name_bytes_max);
    if (!type || !is_name(*type))
        return refuse(of, FXC_INVALID, "an event whose type is not a name");
    const event_entry* const declared = of.emits_for->event(*type);
    if (declared == nullptr)
        return refuse(
            of, FXC_INVALID,
            fmt::format("an event of type \"{}\", which its catalogue does not declare for "
                        "the aggregate {}",
                        *type, of.emits_for->category));
    const auto refuse_this = [&](fxc_status status, std::string_view why) {
        return refuse(of, status, fmt::format("the event {} {}", *type, why));
    };
    if (message->schema_version != 0 && message->schema_version != declared->schema_version)
        return refuse_this(FXC_INVALID,
                           fmt::format("with schema version {}, its catalogue says {}",
                                       message->schema_version, declared->schema_version));
    const auto stream = text_of(message->stream, stream_name_bytes_max);
    if (!stream || (!stream->empty() && *stream != of.emit_stream))
        return refuse_this(FXC_INVALID, "for another stream than its aggregate's");
    const auto content = text_of(message->content_type, name_bytes_max);
    if (!content || (!content->empty() && *content != "application/json"))
        return refuse_this(FXC_INVALID, "with a content type other than application/json");

    const auto payload = text_of(message->payload, emitted_bytes_max);
    const auto metadata = text_of(message->metadata, emitted_bytes_max);
    if (!payload || !metadata) return refuse_this(FXC_BUSY, "that is too large");
    if (const auto valid = json::validate(*payload); !valid)
        return refuse_this(FXC_INVALID, "whose payload is not valid JSON: " + valid.error().client);
    if (!metadata->empty()) {
        const auto parsed = json::parse(*metadata);
        if (!parsed || parsed->type() != json::kind::object)
            return refuse_this(FXC_INVALID, "whose metadata is not a JSON object");
    }
    const auto id_text = text_of(message->id, name_bytes_max);
    const auto id = id_text ? parse_uuid(*id_text) : std::nullopt;
    if (!id_text || (!id_text->empty() && !id))
        return refuse_this(FXC_INVALID, "whose id is no UUID");

    if (message->tag_count > event_tags_max)
        return refuse_this(FXC_INVALID, fmt::format("with more than {} tags", event_tags_max));
    if (message->tag_count > 0 && message->tags == nullptr)
        return refuse_this(FXC_INVALID, "with a count of tags but none there");
    std::array<std::string_view, event_tags_max> tags;
    std::size_t bytes = type->size() + payload->size() + metadata->size();
    for (std::uint32_t i = 0; i < message->tag_count; ++i) {
        const auto tag = text_of(message->tags[i], name_bytes_max);
        if (!tag || !is_name(*tag))
            return refuse_this(FXC_INVALID, "with a tag that is not a name");
        if (std::find(tags.begin(), tags.begin() + i, *tag) != tags.begin() + i)
            return refuse_this(FXC_INVALID, fmt::format("with the tag \"{}\" twice", *tag));
        tags[i] = *tag;
        bytes += tag->size();
    }
    if (bytes > emitted_bytes_max - of.emitted_bytes)
        return refuse(of, FXC_BUSY, fmt::format("more than {} bytes", emitted_bytes_max));
    of.emitted_bytes += bytes;

    if (!decision.texts) decision.texts = std::make_shared<bytes_arena>();
    bytes_arena& arena = *decision.texts;
    store::new_event event;
    if (id) event.id = *id;
    event.type = arena.keep(*type);
    event.data = arena.keep(*payload);
    event.metadata = arena.keep(*metadata);
    event.tags = keep_tags(arena, {tags.data(), message->tag_count});
    event.schema_version = declared->schema_version;
    decision.events.push_back(event);
    return FXC_OK;
}

}  // namespace flexcore::plugin

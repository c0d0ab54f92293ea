#include "gateway/append_body.hpp"

#include "base/names.hpp"
#include "base/nearest.hpp"
#include "gateway/body_reader.hpp"

#include <array>
#include <deque>
#include <limits>

namespace flexcore::gateway {
namespace {

/// What an append_request points to.
struct append_text {
    std::string body;
    std::deque<std::string> unescaped;  ///< strings that had escapes; addresses stay
    std::vector<store::new_event> events;
    std::vector<std::string_view> tags;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> tag_ranges;  ///< begin, count per event
};

class append_reader {
public:
    explicit append_reader(std::string body) : text_{std::make_shared<append_text>()} {
        text_->body = std::move(body);
    }

    [[nodiscard]] result<json::slice> parse(std::size_t depth_max) {
        return json::parse(text_->body, depth_max);
    }
    findings found;

    /// A string's text; lives as long as the backing.
    std::string_view keep(json::slice string) {
        std::string scratch;
        const std::string_view out = string.string(scratch);
        if (out.data() != scratch.data()) return out;
        return text_->unescaped.emplace_back(std::move(scratch));
    }
    std::string_view keep(std::string text) {
        return text_->unescaped.emplace_back(std::move(text));
    }

    void read_expected(object_reader& from, store::stream_append& into) {
        const auto value = from.take("expected_version");
        if (!value) return;
        if (const auto expected = read_expected_version(*value))
            into.expected = *expected;
        else
            from.bad("expected_version",
                     "must be a version or one of \"any\", \"none\" and \"exists\"");
    }

    void read_stream(object_reader& from, store::stream_append& into) {
        const auto value = from.require("stream");
        if (!value) return;
        if (value->type() == json::kind::string) into.stream = keep(*value);
        if (!is_stream_name(into.stream))
            from.bad("stream", "must be 1 to 1024 bytes of UTF-8 without control characters");
    }

    /// Reads the events and remembers which of all they are.
    void read_events(object_reader& from, std::size_t least) {
        const std::size_t begin = text_->events.size();
        const auto list = from.array("events", least, events_per_append_max);
        if (list)
            for (std::size_t i = 0; i < list->size(); ++i) read_event((*list)[i], from, i);
        event_ranges_.emplace_back(begin, text_->events.size() - begin);
    }

    [[nodiscard]] std::size_t events() const { return text_->events.size(); }

    /// Sets the spans, now that nothing moves any more.
    [[nodiscard]] store::append_request finish(std::vector<store::stream_append> appends) {
        for (std::size_t i = 0; i < text_->events.size(); ++i) {
            const auto [begin, count] = text_->tag_ranges[i];
            text_->events[i].tags = std::span{text_->tags}.subspan(begin, count);
        }
        for (std::size_t i = 0; i < appends.size(); ++i) {
            const auto [begin, count] = event_ranges_[i];
            appends[i].events = std::span{text_->events}.subspan(begin, count);
        }
        store::append_request out;
        out.appends = std::move(appends);
        out.backing = std::move(text_);
        return out;
    }

private:
    static constexpr std::array<std::string_view, 6> names{"id",       "type", "data",
                                                           "metadata", "tags", "schema_version"};

    // The hot path of a bulk append: pointers are only built for what is wrong.
    void read_event(json::slice value, const object_reader& list, std::size_t index) {
        const auto at = [&] { return pointer_to(list.pointer("events"), index); };
        const auto bad = [&](std::string_view member, std::string detail) {
            found.add(pointer_to(at(), member), std::move(detail));
        };
        if (value.type() != json::kind::object) {
            found.add(at(), "must be an object");
            return;
        }
        json::members_of(value, members_);
        store::new_event out;
        const std::size_t tags_begin = text_->tags.size();
        bool has_type = false;
        for (std::size_t i = 0; i < members_.size(); ++i) {
            const json::slice given = members_[i].value;
            const std::string name = members_[i].name();
            if (name == "type") {
                has_type = true;
                if (given.type() == json::kind::string) out.type = keep(given);
                if (!is_name(out.type)) bad(name, name_rule);
            } else if (name == "data") {
                out.data = given.text;
            } else if (name == "id") {
                const auto id =
                    given.type() == json::kind::string ? parse_uuid(keep(given)) : std::nullopt;
                if (id)
                    out.id = *id;
                else
                    bad(name, "must be a UUID");
            } else if (name == "metadata") {
                out.metadata = read_metadata(given, at() + "/metadata", found);
            } else if (name == "tags") {
                read_tags(given, at() + "/tags");
            } else if (name == "schema_version") {
                const auto number = given.unsigned_integer();
                if (given.type() == json::kind::number && number && *number >= 1 &&
                    *number <= std::numeric_limits<std::int32_t>::max())
                    out.schema_version = static_cast<std::uint32_t>(*number);
                else
                    bad(name, "must be a whole number from 1 on");
            } else if (!found.full()) {
                bad(name, "is unknown here" + did_you_mean(name, names));
            }
        }
        if (!has_type) bad("type", "is needed");
        if (out.data.empty()) bad("data", "is needed");
        text_->events.push_back(out);
        text_->tag_ranges.emplace_back(static_cast<std::uint32_t>(tags_begin),
                                       static_cast<std::uint32_t>(text_->tags.size() - tags_begin));
    }

    void read_tags(json::slice value, const std::string& pointer) {
        if (value.type() != json::kind::array) {
            found.add(pointer, "must be an array");
            return;
        }
        json::elements_of(value, elements_);
        const std::size_t begin = text_->tags.size();
        for (std::size_t i = 0; i < elements_.size(); ++i) {
            std::string_view tag;
            if (elements_[i].type() == json::kind::string) tag = keep(elements_[i]);
            if (!is_name(tag)) {
                found.add(pointer_to(pointer, i), name_rule);
                continue;
            }
            for (std::size_t j = begin; j < text_->tags.size(); ++j)
                if (text_->tags[j] == tag) {
                    found.add(pointer_to(pointer, i), "stands twice");
                    return;
                }
            text_->tags.push_back(tag);
            if (text_->tags.size() - begin > tags_max) {
                found.add(pointer, "must have at most 100 elements");
                return;
            }
        }
    }

    static constexpr std::size_t tags_max = 100;
    std::shared_ptr<append_text> text_;
    std::vector<std::pair<std::size_t, std::size_t>> event_ranges_;
    std::vector<json::member> members_;
    std::vector<json::slice> elements_;
};

}  // namespace

result<store::append_request> read_stream_append(std::string body, std::string_view stream,
                                                 std::size_t json_depth_max) {
    append_reader reader{std::move(body)};
    auto root = reader.parse(json_depth_max);
    if (!root) return fail(std::move(root.error()));
    std::vector<store::stream_append> appends(1);
    object_reader from{*root, "", reader.found};
    reader.read_expected(from, appends[0]);
    reader.read_events(from, 1);
    from.finish();
    if (reader.found.any()) return fail(reader.found.to_error());
    appends[0].stream = reader.keep(std::string{stream});
    return reader.finish(std::move(appends));
}

result<store::append_request> read_append(std::string body, std::size_t json_depth_max) {
    append_reader reader{std::move(body)};
    auto root = reader.parse(json_depth_max);
    if (!root) return fail(std::move(root.error()));
    object_reader from{*root, "", reader.found};
    const auto list = from.array("appends", 1, events_per_append_max);
    std::vector<store::stream_append> appends(list ? list->size() : 0);
    for (std::size_t i = 0; i < appends.size(); ++i) {
        object_reader one{(*list)[i], pointer_to("/appends", i), reader.found};
        reader.read_stream(one, appends[i]);
        reader.read_expected(one, appends[i]);
        reader.read_events(one, 0);
        one.finish();
        for (std::size_t j = 0; j < i; ++j)
            if (!appends[i].stream.empty() && appends[j].stream == appends[i].stream) {
                one.bad("stream", "stands twice");
                break;
            }
    }
    std::optional<store::append_condition> condition;
    if (const auto value = from.take("condition")) {
        object_reader one{*value, "/condition", reader.found};
        condition.emplace();
        if (const auto selector = one.require("none_match"))
            condition->none_match = read_selector(*selector, "/condition/none_match", reader.found);
        if (const auto after = one.take("after")) {
            if (const auto position = read_position(*after))
                condition->after = *position;
            else
                one.bad("after", "must be a position");
        }
        one.finish();
    }
    from.finish();
    if (list && !reader.found.any() &&
        (reader.events() == 0 || reader.events() > events_per_append_max))
        reader.found.add("/appends", "must have 1 to 1000 events in all");
    if (reader.found.any()) return fail(reader.found.to_error());
    store::append_request out = reader.finish(std::move(appends));
    out.condition = std::move(condition);
    return out;
}

result<store::append_request> read_append_line(std::string line, std::size_t json_depth_max) {
    append_reader reader{std::move(line)};
    auto root = reader.parse(json_depth_max);
    if (!root) return fail(std::move(root.error()));
    std::vector<store::stream_append> appends(1);
    object_reader from{*root, "", reader.found};
    reader.read_stream(from, appends[0]);
    reader.read_expected(from, appends[0]);
    reader.read_events(from, 1);
    from.finish();
    if (reader.found.any()) return fail(reader.found.to_error());
    return reader.finish(std::move(appends));
}

}  // namespace flexcore::gateway

// What holds for a stream: its settings, its deletion.
#include "base/names.hpp"
#include "gateway/api.hpp"
#include "gateway/body_reader.hpp"
#include "gateway/query_args.hpp"
#include "gateway/stream_json.hpp"
#include "gateway/write_answers.hpp"

namespace flexcore::gateway {
namespace {

using change_kind = store::stream_change::kind;
using rule = store::expected_version::rule;

std::optional<std::uint64_t> number_member(object_reader& from, std::string_view name,
                                           std::uint64_t most) {
    const auto value = from.take(name);
    if (!value || value->type() == json::kind::null) return std::nullopt;
    const auto number = value->unsigned_integer();
    if (!number || *number == 0 || *number > most) {
        from.bad(name, "must be a whole number from 1 to " + std::to_string(most));
        return std::nullopt;
    }
    return number;
}

result<store::stream_settings> read_settings(std::string_view body, std::size_t depth_max) {
    const auto root = json::parse(body, depth_max);
    if (!root) return fail(root.error());
    findings found;
    object_reader from{*root, "", found};
    store::stream_settings settings;
    settings.max_age_s = number_member(from, "max_age_s", store::max_age_s_max);
    settings.max_count = number_member(from, "max_count", position_max);
    settings.truncate_before = number_member(from, "truncate_before", position_max);
    from.finish();
    if (found.any()) return fail(found.to_error());
    return settings;
}

result<store::expected_version> expected_arg(const resolved_target& at) {
    const std::string* text = at.arg("expected_version");
    if (text == nullptr || *text == "any") return store::expected_version{};
    if (*text == "none") return store::expected_version{rule::none, 0};
    if (*text == "exists") return store::expected_version{rule::exists, 0};
    const auto number = number_arg(at, "expected_version", 0, 0, position_max);
    if (number) return store::expected_version{rule::exact, *number};
    return fail(gateway_errc::bad_request,
                "Query parameter \"expected_version\" must be a version or one of \"any\", "
                "\"none\" and \"exists\".");
}

result<bool> permanent_arg(const resolved_target& at) {
    const std::string* text = at.arg("permanent");
    if (text == nullptr || *text == "false") return false;
    if (*text == "true") return true;
    return fail(gateway_errc::bad_request,
                "Query parameter \"permanent\" must be \"true\" or \"false\".");
}

/// What a change points to.
struct change_text {
    std::string tenant, stream;
};

void change(const std::shared_ptr<api>& on, const request& asked, const std::string& stream,
            store::stream_change what, store::append_done done) {
    auto text = std::make_shared<change_text>(change_text{asked.who.tenant, stream});
    store::append_request wanted;
    wanted.tenant = text->tenant;
    what.stream = text->stream;
    wanted.change = what;
    wanted.backing = std::move(text);
    on->services.log.append(std::move(wanted), std::move(done));
}

void put_settings(const std::shared_ptr<api>& on, request& asked, responder answer) {
    const std::string& stream = asked.param(0);
    if (auto ok = check_stream_name(stream); !ok) return answer(ok.error());
    if (auto ok = on->may(asked, "settings", stream); !ok) return answer(ok.error());
    const auto settings = read_settings(asked.body, on->settings.json_depth_max);
    if (!settings) return answer(settings.error());
    // Only for the answer, when the stream is deleted before it is read back.
    store::stream_info before;
    before.stream = stream;
    if (!on->services.store_far) {
        if (auto known = on->services.log.stream(asked.who.tenant, stream))
            before = std::move(*known);
    }
    change(on, asked, stream,
           {.stream = {}, .what = change_kind::settings, .expected = {}, .settings = *settings},
           [on, settings = *settings, before = std::move(before),
            answer = std::move(answer)](result<store::append_outcome> done) mutable {
               if (!done) return answer(done.error());
               before.settings = settings;
               before.updated_at = done->recorded_at;
               // Read back off the log writer's thread.
               on->services.workers.post([on, before = std::move(before), at = done->pos,
                                          answer = std::move(answer)]() mutable {
                   const request& of = answer.asked();
                   const auto info = on->services.log.stream(of.who.tenant, of.param(0));
                   // Deleted since: they were set all the same.
                   std::string body;
                   append_stream_info(body, info ? *info : before);
                   response out = json_response(std::move(body));
                   set_position(out, at);
                   answer(std::move(out));
               });
           });
}

void delete_stream(const std::shared_ptr<api>& on, request& asked, responder answer) {
    const std::string& stream = asked.param(0);
    if (auto ok = check_stream_name(stream); !ok) return answer(ok.error());
    if (auto ok = on->may(asked, "delete", stream); !ok) return answer(ok.error());
    const auto expected = expected_arg(*asked.at);
    if (!expected) return answer(expected.error());
    const auto permanent = permanent_arg(*asked.at);
    if (!permanent) return answer(permanent.error());
    change(on, asked, stream,
           {.stream = {},
            .what = *permanent ? change_kind::tombstone : change_kind::soft_delete,
            .expected = *expected,
            .settings = {}},
           [answer = std::move(answer)](result<store::append_outcome> done) mutable {
               if (!done) return answer(done.error());
               response out;
               out.status = 204;
               set_position(out, done->pos);
               answer(std::move(out));
           });
}

}  // namespace

void add_stream_routes(router& to, const std::shared_ptr<api>& on) {
    const auto bound = [on](auto handler) {
        return [on, handler](request& r, responder a) { handler(on, r, std::move(a)); };
    };
    to.add({.method = verb::put,
            .pattern = "/v1/streams/{stream}/settings",
            .handler = bound(put_settings),
            .operation = "putStreamSettings",
            .summary = "Say which of a stream's events are served: all settings at once",
            .tag = "events",
            .body = body_kind::json,
            .request_schema = "StreamSettings",
            .answers = {{200, "They hold from now on", "Stream"},
                        {404, "No such stream", "Problem", problem_type},
                        {410, "The stream was deleted for good", "Problem", problem_type}}});
    to.add({.method = verb::delete_,
            .pattern = "/v1/streams/{stream}",
            .handler = bound(delete_stream),
            .operation = "deleteStream",
            .summary = "Delete a stream, until it is written again or for good",
            .tag = "events",
            .query = {{"expected_version", param_type::text,
                       "A version, or any (default), none, exists"},
                      {"permanent", param_type::choice, "Never to be written again", 0, 0,
                       "false|true"}},
            .answers = {{204, "It is deleted"},
                        {404, "No such stream", "Problem", problem_type},
                        {409, "The stream is at another version", "Problem", problem_type},
                        {410, "The stream was deleted for good", "Problem", problem_type}}});
}

}  // namespace flexcore::gateway

// Writing to the log: one stream, several streams at once, bulk.
#include "base/names.hpp"
#include "bus/errc.hpp"
#include "gateway/api.hpp"
#include "gateway/append_body.hpp"
#include "gateway/fingerprint.hpp"
#include "gateway/json_object.hpp"
#include "gateway/ndjson.hpp"
#include "gateway/problem.hpp"
#include "gateway/write_answers.hpp"
#include "store/errc.hpp"

namespace flexcore::gateway {
namespace {

/// Stands before an answer that is stored under a key when its status is not the usual 201, so that
/// the replay knows it.
constexpr std::string_view repeated_mark = "200 ";

using render_function = std::function<std::string(const store::append_outcome&)>;

std::string render_stream_append(std::string_view stream, const store::append_outcome& done) {
    const store::stream_outcome& one = done.appends.front();
    std::string out;
    out.reserve(160 + done.ids.size() * 90);
    json_object answer{out};
    answer.text("stream", stream)
        .number("first_version", one.first_version)
        .number("last_version", one.last_version)
        .number("position", done.pos)
        .begin("events");
    out += '[';
    for (std::size_t i = 0; i < done.ids.size(); ++i) {
        if (i != 0) out += ',';
        json_object{out}
            .text("id", done.ids[i].to_string())
            .number("version", one.first_version + i)
            .number("position", one.first_position + i)
            .end();
    }
    out += ']';
    answer.end();
    return out;
}

void append_stream_range(json_object& to, std::string_view stream,
                         const store::stream_outcome& one) {
    to.text("stream", stream)
        .number("first_version", one.first_version)
        .number("last_version", one.last_version);
}

std::string render_append(const std::vector<std::string_view>& streams,
                          const store::append_outcome& done) {
    std::string out;
    json_object answer{out};
    answer.number("position", done.pos).begin("appends");
    out += '[';
    for (std::size_t i = 0; i < streams.size(); ++i) {
        if (i != 0) out += ',';
        json_object one{out};
        append_stream_range(one, streams[i], done.appends[i]);
        one.end();
    }
    out += ']';
    answer.end();
    return out;
}

std::string render_line(std::string_view stream, const store::append_outcome& done) {
    std::string out;
    json_object answer{out};
    append_stream_range(answer, stream, done.appends.front());
    answer.number("position", done.pos).end();
    return out;
}

/// The bus's request; what the renderer needs of it stays alive with it.
bus::raw_append prepare(const request& asked, store::append_request what, std::string print,
                        render_function render) {
    bus::raw_append out;
    out.request = std::move(what);
    out.who = asked.who;
    if (asked.fields.has_idempotency_key) {
        out.idempotency_key = scoped_key(asked);
        out.fingerprint = std::move(print);
    }
    out.render = [render = std::move(render)](const store::append_outcome& done) {
        std::string text = render(done);
        if (done.repeated) text.insert(0, repeated_mark);
        return text;
    };
    return out;
}

response written(bus::append_answer done) {
    const bool repeated = done.body.starts_with(repeated_mark);
    if (repeated) done.body.erase(0, repeated_mark.size());
    response out = json_response(std::move(done.body), repeated ? 200 : 201);
    set_position(out, done.replayed ? position_in(out.body) : done.outcome.pos);
    if (done.replayed) set_replayed(out);
    return out;
}

/// Before the body is moved away; empty when there is no key to guard.
std::string print_of(const request& asked) {
    if (!asked.fields.has_idempotency_key) return {};
    return fingerprint(asked.at->path, asked.body);
}

void append_to_stream(const std::shared_ptr<api>& on, request& asked, responder answer) {
    const std::string& stream = asked.param(0);
    if (auto ok = check_stream_name(stream); !ok) return answer(ok.error());
    std::string print = print_of(asked);
    auto kept = hold_at_work(on->held, asked.body.size());
    auto what = read_stream_append(std::move(asked.body), stream, on->settings.json_depth_max);
    if (!what) return answer(what.error());
    auto render = [backing = what->backing,
                   name = what->appends[0].stream](const store::append_outcome& done) {
        return render_stream_append(name, done);
    };
    on->services.appends.append(
        prepare(asked, std::move(*what), std::move(print), std::move(render)),
        [answer = std::move(answer),
         kept = std::move(kept)](result<bus::append_answer> done) mutable {
            kept.reset();  // the callback itself may live on for a moment
            if (!done) return answer(done.error());
            answer(written(std::move(*done)));
        });
}

/// Several streams and conditions: whatever condition fails, it is one kind of conflict here.
error as_append_conflict(error e) {
    if (e.code == make_error_code(store::store_errc::version_conflict) ||
        e.code == make_error_code(store::store_errc::stream_deleted) ||
        e.code == make_error_code(store::store_errc::condition_failed))
        e.code = make_error_code(gateway_errc::append_conflict);
    return e;
}

void append_lines(const std::shared_ptr<api>& on, request& asked, responder answer) {
    const ndjson_limits limits{.line_bytes_max = on->settings.body_bytes_max,
                               .unsent_bytes_max = on->settings.output_bytes_max,
                               .held = on->held};
    // The exchange outlives its session, but the session's work may outlive both.
    auto who = std::make_shared<const bus::caller>(asked.who);
    serve_lines(std::move(answer), limits, [on, who](std::string line, line_answer done) {
        auto what = read_append_line(std::move(line), on->settings.json_depth_max);
        if (!what) {
            std::string out;
            append_problem_item(out, what.error());
            return done(std::move(out));
        }
        bus::raw_append one;
        one.render = [backing = what->backing, stream = what->appends[0].stream](
                         const store::append_outcome& o) { return render_line(stream, o); };
        one.request = std::move(*what);
        one.who = *who;
        on->services.appends.append(std::move(one),
                                    [done = std::move(done)](result<bus::append_answer> r) mutable {
                                        if (r) return done(std::move(r->body));
                                        std::string out;
                                        append_problem_item(out, r.error());
                                        done(std::move(out));
                                    });
    });
}

void append_several(const std::shared_ptr<api>& on, request& asked, responder answer) {
    if (asked.ndjson) return append_lines(on, asked, std::move(answer));
    std::string print = print_of(asked);
    auto kept = hold_at_work(on->held, asked.body.size());
    auto what = read_append(std::move(asked.body), on->settings.json_depth_max);
    if (!what) return answer(what.error());
    std::vector<std::string_view> streams;
    for (const store::stream_append& one : what->appends) streams.push_back(one.stream);
    auto render = [backing = what->backing, streams = std::move(streams)](
                      const store::append_outcome& done) { return render_append(streams, done); };
    on->services.appends.append(
        prepare(asked, std::move(*what), std::move(print), std::move(render)),
        [answer = std::move(answer),
         kept = std::move(kept)](result<bus::append_answer> done) mutable {
            kept.reset();  // the callback itself may live on for a moment
            if (!done) return answer(as_append_conflict(std::move(done.error())));
            answer(written(std::move(*done)));
        });
}

}  // namespace

void add_append_routes(router& to, const std::shared_ptr<api>& on) {
    const auto bound = [on](auto handler) {
        return [on, handler](request& r, responder a) { handler(on, r, std::move(a)); };
    };
    const std::vector<answer_spec> refusals{
        {409, "A conflict; nothing was written", "Problem", problem_type},
        {422, "The idempotency key is known with another request", "Problem", problem_type}};
    std::vector<answer_spec> answers{
        {200, "These events were written before", "StreamAppended"},
        {201, "Written, durable", "StreamAppended"},
        {410, "The stream was deleted for good", "Problem", problem_type}};
    answers.insert(answers.end(), refusals.begin(), refusals.end());
    to.add({.method = verb::post,
            .pattern = "/v1/streams/{stream}/events",
            .handler = bound(append_to_stream),
            .operation = "appendToStream",
            .summary = "Append events to a stream",
            .tag = "events",
            .body = body_kind::json,
            .request_schema = "StreamAppend",
            .answers = std::move(answers),
            .idempotency_key = true});
    answers = {{200, "Written before (JSON), or a line per line (NDJSON)", "Appended"},
               {201, "Written, durable", "Appended"}};
    answers.insert(answers.end(), refusals.begin(), refusals.end());
    to.add(
        {.method = verb::post,
         .pattern = "/v1/append",
         .handler = bound(append_several),
         .operation = "append",
         .summary = "Append to several streams in one atomic write, or in bulk as NDJSON",
         .tag = "events",
         .description =
             "As JSON everything is written or nothing, under one condition. As NDJSON each line "
             "is atomic for itself and is worked on as it arrives; a line answers a line.",
         .body = body_kind::json_or_ndjson,
         .request_schema = "Append",
         .line_schema = "AppendLine",
         .line_answer_schema = "AppendLineAnswer",
         .answers = std::move(answers),
         .idempotency_key = true});
}

}  // namespace flexcore::gateway

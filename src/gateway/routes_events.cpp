// Reading the log: streams, events, the whole log, the live stream.
#include "base/names.hpp"
#include "gateway/api.hpp"
#include "gateway/event_json.hpp"
#include "gateway/event_socket.hpp"
#include "gateway/json_object.hpp"
#include "gateway/query_args.hpp"
#include "gateway/sse.hpp"
#include "gateway/stream_json.hpp"
#include "store/errc.hpp"

namespace flexcore::gateway {
namespace {

std::string next_text(std::uint64_t next) {
    return next == 0 ? std::string{} : std::to_string(next);
}

void read_stream(const std::shared_ptr<api>& on, request& asked, responder answer) {
    const std::string& stream = asked.param(0);
    if (auto ok = check_stream_name(stream); !ok) return answer(ok.error());
    if (auto ok = on->may(asked, "read", stream); !ok) return answer(ok.error());
    const auto from = number_arg(*asked.at, "from", 0, 1, position_max);
    if (!from) return answer(from.error());
    const auto limit = limit_arg(*asked.at);
    if (!limit) return answer(limit.error());
    const auto way = direction_arg(*asked.at);
    if (!way) return answer(way.error());

    const auto read = [on, from = *from, limit = *limit,
                       way = *way](const request& r) -> result<response> {
        auto page = on->services.log.read_stream(r.who.tenant, r.param(0), from, limit, way);
        if (!page) return fail(std::move(page.error()));
        return json_response(events_page(*page->batch, next_text(page->next)));
    };
    if (*limit <= io_thread_events_max && !on->services.store_far)
        give(answer, read(asked));
    else
        on_worker(on, std::move(answer), read);
}

void list_streams(const std::shared_ptr<api>& on, request& asked, responder answer) {
    if (auto ok = on->may(asked, "read", "streams"); !ok) return answer(ok.error());
    const auto limit = limit_arg(*asked.at);
    if (!limit) return answer(limit.error());
    for (const std::string_view name : {"category", "prefix", "after"})
        if (const std::string* text = asked.at->arg(name); text != nullptr && !text->empty())
            if (auto ok = check_stream_name(*text); !ok) return answer(ok.error());

    on_worker(on, std::move(answer), [on, limit = *limit](const request& r) -> result<response> {
        const auto text = [&](std::string_view name) {
            const std::string* given = r.at->arg(name);
            return given == nullptr ? std::string_view{} : std::string_view{*given};
        };
        auto page = on->services.log.streams(r.who.tenant, text("category"), text("prefix"),
                                             text("after"), limit);
        if (!page) return fail(std::move(page.error()));
        return json_response(json_list(page->items, page->next, append_stream_info));
    });
}

void one_stream(const std::shared_ptr<api>& on, request& asked, responder answer) {
    const std::string& stream = asked.param(0);
    if (auto ok = check_stream_name(stream); !ok) return answer(ok.error());
    if (auto ok = on->may(asked, "read", stream); !ok) return answer(ok.error());
    const auto read = [on](const request& r) -> result<response> {
        auto info = on->services.log.stream(r.who.tenant, r.param(0));
        if (!info) return fail(std::move(info.error()));
        std::string out;
        append_stream_info(out, *info);
        return json_response(std::move(out));
    };
    if (on->services.store_far)
        on_worker(on, std::move(answer), read);
    else
        give(answer, read(asked));
}

void read_log(const std::shared_ptr<api>& on, request& asked, responder answer) {
    if (auto ok = on->may(asked, "read", "events"); !ok) return answer(ok.error());
    auto filter = log_filter_args(*asked.at, asked.who.tenant);
    if (!filter) return answer(filter.error());
    const auto after = position_arg(*asked.at, "after");
    if (!after) return answer(after.error());
    const auto limit = limit_arg(*asked.at);
    if (!limit) return answer(limit.error());
    const auto way = direction_arg(*asked.at);
    if (!way) return answer(way.error());

    on_worker(on, std::move(answer),
              [on, filter = std::move(*filter), after = after->value_or(0), limit = *limit,
               way = *way](const request&) -> result<response> {
                  auto page = on->services.log.read_log(filter, after, limit, way);
                  if (!page) return fail(std::move(page.error()));
                  const std::string next =
                      page->at_end ? std::string{} : std::to_string(page->scanned_to);
                  return json_response(events_page(*page->batch, next));
              });
}

void one_event(const std::shared_ptr<api>& on, request& asked, responder answer) {
    if (auto ok = on->may(asked, "read", "events"); !ok) return answer(ok.error());
    const auto id = parse_uuid(asked.param(0));
    if (!id)
        return answer(error{make_error_code(gateway_errc::not_found),
                            "There is no such event; event ids are UUIDs."});
    const auto read = [on, id = *id](const request& r) -> result<response> {
        auto batch = on->services.log.read_event(r.who.tenant, id);
        if (!batch) return fail(std::move(batch.error()));
        std::string out;
        append_event(out, (*batch)->events.front());
        return json_response(std::move(out));
    };
    if (on->services.store_far)
        on_worker(on, std::move(answer), read);
    else
        give(answer, read(asked));
}

/// What a follower asks for: which events, behind which position.
struct follow_args {
    store::log_filter filter;
    store::position after = 0;
};

result<follow_args> read_follow_args(const api& on, const request& asked) {
    if (auto ok = on.may(asked, "read", "events"); !ok) return fail(std::move(ok.error()));
    auto filter = log_filter_args(*asked.at, asked.who.tenant);
    if (!filter) return fail(std::move(filter.error()));
    auto after = position_arg(*asked.at, "after");
    if (!after) return fail(std::move(after.error()));
    follow_args out{std::move(*filter), after->value_or(on.services.events.head())};
    // A client that comes back knows better than the address it was started with.
    if (!asked.fields.last_event_id.empty()) {
        const auto last = parse_position(asked.fields.last_event_id, "Last-Event-ID");
        if (!last) return fail(last.error());
        out.after = *last;
    }
    // The log has never given it out: what comes until then would be skipped without a word.
    if (out.after > on.services.log.head())
        return fail(gateway_errc::bad_request, "This position lies beyond the end of the log.");
    return out;
}

void follow_log(const std::shared_ptr<api>& on, request& asked, responder answer) {
    auto args = read_follow_args(*on, asked);
    if (!args) return answer(args.error());
    if (asked.method == verb::head) {
        response head;
        head.content_type = event_stream_type;
        head.headers.push_back({"Cache-Control", "no-store"});
        head.flows = true;
        return answer(std::move(head));
    }
    serve_events(on, std::move(answer), std::move(args->filter), args->after);
}

void open_event_socket(const std::shared_ptr<api>& on, request& asked, responder answer) {
    // A browser lets any page open a socket to anywhere and only says which page it was.
    const std::string& origin = asked.fields.origin;
    if (!origin.empty() && !is_same_host(origin, asked.fields.host) && !on->origins.allows(origin))
        return answer(error{make_error_code(gateway_errc::forbidden),
                            "Pages of this origin may not open a socket here; see "
                            "http.cors_origins."});
    auto args = read_follow_args(*on, asked);
    if (!args) return answer(args.error());
    serve_event_socket(on, std::move(answer), std::move(args->filter), args->after);
}

const query_param limit_param{"limit", param_type::integer, "How many items at the most", 1,
                              list_limit_max};
const query_param direction_param{"direction", param_type::choice, "Which way to read", 0,
                                  0,           "forward|backward"};

std::vector<query_param> filter_params() {
    return {{"types", param_type::list, "Event types, any of them"},
            {"categories", param_type::list, "Stream categories, any of them"},
            {"tags", param_type::list, "Tags, all of them"},
            {"stream_prefix", param_type::text, "How the stream's name begins"},
            {"since", param_type::time, "Recorded at this time or later"}};
}

}  // namespace

void add_event_routes(router& to, const std::shared_ptr<api>& on) {
    const auto bound = [on](auto handler) {
        return [on, handler](request& r, responder a) { handler(on, r, std::move(a)); };
    };
    to.add({.method = verb::get,
            .pattern = "/v1/streams/{stream}/events",
            .handler = bound(read_stream),
            .operation = "readStream",
            .summary = "Read a stream's events",
            .tag = "events",
            .query = {{"from", param_type::integer, "The first version to read", 1,
                       static_cast<std::int64_t>(position_max)},
                      limit_param,
                      direction_param},
            .answers = {{200, "A page of events", "EventPage"},
                        {404, "No such stream", "Problem", problem_type},
                        {410, "The stream was deleted for good", "Problem", problem_type}}});
    to.add({.method = verb::get,
            .pattern = "/v1/streams",
            .handler = bound(list_streams),
            .operation = "listStreams",
            .summary = "List streams by name",
            .tag = "events",
            .query = {{"category", param_type::text, "Only streams of this category"},
                      {"prefix", param_type::text, "How the stream's name begins"},
                      limit_param,
                      {"after", param_type::text, "`next` of the page before"}},
            .answers = {{200, "A page of streams", "StreamPage"}}});
    to.add({.method = verb::get,
            .pattern = "/v1/streams/{stream}",
            .handler = bound(one_stream),
            .operation = "getStream",
            .summary = "What is known of a stream",
            .tag = "events",
            .answers = {{200, "The stream", "Stream"},
                        {404, "No such stream", "Problem", problem_type},
                        {410, "The stream was deleted for good", "Problem", problem_type}}});

    std::vector<query_param> log_params = filter_params();
    log_params.push_back({"after", param_type::position, "Continue behind this position"});
    std::vector<query_param> follow_params = log_params, socket_params = log_params;
    log_params.push_back(limit_param);
    log_params.push_back(direction_param);
    to.add({.method = verb::get,
            .pattern = "/v1/events",
            .handler = bound(read_log),
            .operation = "readLog",
            .summary = "Read the whole log in position order",
            .tag = "events",
            .query = std::move(log_params),
            .answers = {{200, "A page of events", "EventPage"}}});
    to.add({.method = verb::get,
            .pattern = "/v1/events/stream",
            .handler = bound(follow_log),
            .operation = "followLog",
            .summary = "Follow the log as Server-Sent Events",
            .tag = "events",
            .description =
                "id is the position, event the type, data the event. caught_up comes once, at the "
                "head of the log; the id moves on while nothing matches.",
            .query = std::move(follow_params),
            .answers = {
                {200, "Events without end", "EventStream", event_stream_type, {"Cache-Control"}},
                {503, "Too many followers", "Problem", problem_type}}});
    to.add({.method = verb::get,
            .pattern = "/v1/events/socket",
            .handler = bound(open_event_socket),
            .operation = "openEventSocket",
            .summary = "Follow the log over a WebSocket, with credits",
            .tag = "events",
            .description =
                "The client sends {\"credit\": n} as a text; each event, a text as well, uses one. "
                "Without credit nothing is sent and nothing is lost.",
            .query = std::move(socket_params),
            .answers = {{101,
                         "A WebSocket: the client sends credit, the server events",
                         {},
                         {},
                         {"Upgrade", "Sec-WebSocket-Accept"}},
                        {403, "The page's origin may not", "Problem", problem_type},
                        {426,
                         "An upgrade to WebSocket 13 is needed",
                         "Problem",
                         problem_type,
                         {"Upgrade", "Sec-WebSocket-Version"}},
                        {503, "Too many followers", "Problem", problem_type}}});
    to.add({.method = verb::get,
            .pattern = "/v1/events/{id}",
            .handler = bound(one_event),
            .operation = "getEvent",
            .summary = "One event by its id",
            .tag = "events",
            .answers = {{200, "The event", "Event"},
                        {404, "No such event", "Problem", problem_type}}});
}

}  // namespace flexcore::gateway

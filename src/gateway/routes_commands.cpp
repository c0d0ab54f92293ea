// Commands: one, a batch, bulk, and the catalogue.
#include "bus/errc.hpp"
#include "gateway/api.hpp"
#include "gateway/body_reader.hpp"
#include "gateway/catalogue_page.hpp"
#include "gateway/command_body.hpp"
#include "gateway/event_json.hpp"
#include "gateway/fingerprint.hpp"
#include "gateway/json_object.hpp"
#include "gateway/ndjson.hpp"
#include "gateway/problem.hpp"
#include "gateway/write_answers.hpp"

#include <atomic>

namespace flexcore::gateway {
namespace {

constexpr std::size_t batch_commands_max = 1000;
constexpr std::string_view command_path = "/v1/commands";

std::string reply_json(const bus::command_reply& reply) {
    std::string out;
    out.reserve(256 + reply.events.size() * 140 + reply.result.size());
    json_object answer{out};
    answer.text("command_id", reply.command_id.to_string())
        .text("stream", reply.stream)
        .number("version", reply.ver)
        .number("position", reply.pos)
        .begin("events");
    out += '[';
    for (std::size_t i = 0; i < reply.events.size(); ++i) {
        if (i != 0) out += ',';
        const bus::event_ref& event = reply.events[i];
        json_object{out}
            .text("id", event.id.to_string())
            .text("type", event.type)
            .number("version", event.ver)
            .number("position", event.pos)
            .end();
    }
    out += ']';
    answer.raw("result", reply.result).end();
    return out;
}

/// `text` is what the client sent for this command: its fingerprint guards command_id and key.
void add_fingerprint(bus::command& what, std::string_view text) {
    if (what.command_id || !what.idempotency_key.empty())
        what.fingerprint = fingerprint(command_path, text);
}

/// The commands have copies of what they need; the body itself would stay as long as its answer
/// does. What it returns counts for the copies.
std::shared_ptr<const void> let_body_go(const api& on, request& asked) {
    auto kept = hold_at_work(on.held, asked.body.size());
    if (kept) std::string{}.swap(asked.body);
    return kept;
}

void send_one(const std::shared_ptr<api>& on, request& asked, responder answer) {
    if (const auto room = on->services.commands.has_room(); !room) return answer(room.error());
    const auto root = json::parse(asked.body, on->settings.json_depth_max);
    if (!root) return answer(root.error());
    auto what = read_command(*root, "");
    if (!what) return answer(what.error());
    what->who = asked.who;
    what->idempotency_key = asked.fields.idempotency_key;
    add_fingerprint(*what, asked.body);
    auto kept = let_body_go(*on, asked);
    on->services.commands.send(std::move(*what),
                               [answer = std::move(answer),
                                kept = std::move(kept)](result<bus::command_reply> done) mutable {
                                   kept.reset();
                                   if (!done) return answer(done.error());
                                   response out = json_response(reply_json(*done));
                                   set_position(out, done->pos);
                                   if (done->replayed) set_replayed(out);
                                   answer(std::move(out));
                               });
}

/// An answer or a problem on one line, and the position it wrote (0: none).
using item_done = std::move_only_function<void(std::string, store::position)>;

/// One command of a batch or a bulk body.
void send_item(const std::shared_ptr<api>& on, const bus::caller& who, json::slice text,
               item_done done) {
    auto what = read_command(text, "");
    if (!what) {
        std::string out;
        append_problem_item(out, what.error());
        return done(std::move(out), 0);
    }
    what->who = who;
    add_fingerprint(*what, text.text);
    on->services.commands.send(std::move(*what),
                               [done = std::move(done)](result<bus::command_reply> r) mutable {
                                   std::string out;
                                   if (r)
                                       append_as_one_line(out, reply_json(*r));
                                   else
                                       append_problem_item(out, r.error());
                                   done(std::move(out), r ? r->pos : 0);
                               });
}

void send_lines(const std::shared_ptr<api>& on, request& asked, responder answer) {
    const ndjson_limits limits{.line_bytes_max = on->settings.body_bytes_max,
                               .unsent_bytes_max = on->settings.output_bytes_max,
                               .held = on->held};
    auto who = std::make_shared<const bus::caller>(asked.who);
    serve_lines(std::move(answer), limits, [on, who](const std::string& line, line_answer done) {
        const auto root = json::parse(line, on->settings.json_depth_max);
        if (!root) {
            std::string out;
            append_problem_item(out, root.error());
            return done(std::move(out));
        }
        send_item(on, *who, *root,
                  [done = std::move(done)](std::string out, store::position) mutable {
                      done(std::move(out));
                  });
    });
}

/// The answers of a batch, gathered from whatever threads they come on.
struct batch {
    batch(responder to, std::size_t count)
        : answer{std::move(to)}, results(count), open{count + 1} {}
    responder answer;
    std::shared_ptr<const void> kept;  ///< counts for the body
    std::vector<std::string> results;
    std::atomic<store::position> last{0};  ///< the highest position written
    std::atomic<std::size_t> open;         ///< one more than outstanding while they are being sent

    void close_one() {
        if (open.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
        std::string out = "{\"results\":[";
        for (std::size_t i = 0; i < results.size(); ++i) {
            if (i != 0) out += ',';
            out += results[i];
        }
        out += "]}";
        response all = json_response(std::move(out));
        if (last != 0) set_position(all, last);
        answer(std::move(all));
    }
    void put(std::size_t i, std::string text, store::position written) {
        results[i] = std::move(text);
        store::position seen = last;
        while (seen < written && !last.compare_exchange_weak(seen, written)) {
        }
        close_one();
    }
};

void send_batch(const std::shared_ptr<api>& on, request& asked, responder answer) {
    if (asked.ndjson) return send_lines(on, asked, std::move(answer));
    const auto root = json::parse(asked.body, on->settings.json_depth_max);
    if (!root) return answer(root.error());
    findings found;
    object_reader from{*root, "", found};
    const auto list = from.array("commands", 1, batch_commands_max);
    from.finish();
    if (found.any()) return answer(found.to_error());

    const bus::caller who = asked.who;
    auto all = std::make_shared<batch>(std::move(answer), list->size());
    for (std::size_t i = 0; i < list->size(); ++i)
        send_item(on, who, (*list)[i], [all, i](std::string text, store::position written) {
            all->put(i, std::move(text), written);
        });
    all->kept = let_body_go(*on, asked);
    all->close_one();
}

void list_commands(const std::shared_ptr<api>& on, request& asked, responder answer) {
    if (auto ok = on->may(asked, "read", "commands"); !ok) return answer(ok.error());
    give_catalogue(
        asked, std::move(answer), on->services.commands.catalogue(),
        [](const bus::command_descriptor& one) { return std::string_view{one.type}; },
        [](std::string& out, const bus::command_descriptor& one) {
            json_object{out}
                .text("name", one.type)
                .text("category", one.category)
                .text("plugin", one.plugin)
                .text("description", one.description)
                .raw("schema", one.data_schema ? std::string_view{one.data_schema->text()} : "null")
                .end();
        });
}

}  // namespace

void add_command_routes(router& to, const std::shared_ptr<api>& on) {
    const auto bound = [on](auto handler) {
        return [on, handler](request& r, responder a) { handler(on, r, std::move(a)); };
    };
    to.add(
        {.method = verb::post,
         .pattern = std::string{command_path},
         .handler = bound(send_one),
         .operation = "sendCommand",
         .summary = "Send a command",
         .tag = "commands",
         .body = body_kind::json,
         .request_schema = "Command",
         .answers = {{200, "Accepted, its events are durable", "CommandReply"},
                     {404, "No such command", "Problem", problem_type},
                     {409, "A version conflict, or the first request still runs", "Problem",
                      problem_type},
                     {410, "The aggregate's stream was deleted for good", "Problem", problem_type},
                     {422, "Refused by the domain", "Problem", problem_type},
                     {504, "No answer in time; ask again with the command_id", "Problem",
                      problem_type}},
         .idempotency_key = true});
    to.add({.method = verb::post,
            .pattern = "/v1/commands/batch",
            .handler = bound(send_batch),
            .operation = "sendCommands",
            .summary = "Send several commands, as JSON or in bulk as NDJSON",
            .tag = "commands",
            .body = body_kind::json_or_ndjson,
            .request_schema = "CommandBatch",
            .line_schema = "Command",
            .line_answer_schema = "CommandLineAnswer",
            .answers = {{200, "An answer per command, in order", "CommandBatchReply"}}});
    to.add({.method = verb::get,
            .pattern = std::string{command_path},
            .handler = bound(list_commands),
            .operation = "listCommands",
            .summary = "The catalogue of commands",
            .tag = "commands",
            .query = catalogue_params(),
            .answers = {{200, "All commands", "CommandCatalogue"}}});
}

}  // namespace flexcore::gateway

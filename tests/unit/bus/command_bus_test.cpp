#include "bus/command_bus.hpp"

#include "base/json.hpp"
#include "unit/bus/fixture.hpp"

using namespace flexcore;
using namespace flexcore::test;
using namespace std::chrono_literals;

namespace {

using reply_box = mailbox<result<bus::command_reply>>;

/// Keeps what it is given; the test answers.
class kept_commands final : public bus::command_handler {
public:
    void execute(bus::accepted_command command, bus::command_done done) override {
        const std::lock_guard lock{mutex};
        commands.push_back(std::move(command));
        dones.push_back(std::move(done));
    }
    void answer(std::size_t which, result<bus::command_reply> reply = bus::command_reply{}) {
        auto done = std::move(dones.at(which));
        done(std::move(reply));
    }
    void forget() {
        std::vector<bus::command_done> all;
        {
            const std::lock_guard lock{mutex};
            all.swap(dones);
        }
    }
    std::mutex mutex;
    std::vector<bus::accepted_command> commands;
    std::vector<bus::command_done> dones;
};

class nobody_may final : public bus::authorizer {
public:
    result<void> may(const bus::caller&, std::string_view action,
                     std::string_view resource) const override {
        return fail(bus::bus_errc::forbidden, std::string{action} + " " + std::string{resource});
    }
};

struct command_world : world {
    bus::allow_all everybody;
    nobody_may nobody;
    open_gate gate;
    bus::key_registry keys;
    std::shared_ptr<kept_commands> handler = std::make_shared<kept_commands>();
    bus::command_bus commands;

    explicit command_world(bus::command_settings settings = {}, bool allowed = true,
                           bus::inline_gate* other_gate = nullptr)
        : commands{settings,
                   allowed ? static_cast<const bus::authorizer&>(everybody) : nobody,
                   other_gate != nullptr ? *other_gate : gate,
                   keys,
                   timers,
                   metrics} {
        auto data_schema = schema::compile(
            R"({"type":"object","required":["by"],"properties":{"by":{"type":"integer"}}})");
        REQUIRE(data_schema);
        REQUIRE(commands.add({.type = "counter.add",
                              .category = "counter",
                              .plugin = "test",
                              .description = "adds",
                              .data_schema = std::move(*data_schema)},
                             handler));
    }

    /// A kept callback owns its command's way back, and through it the handler that keeps it.
    ~command_world() { handler->forget(); }

    reply_box send(bus::command cmd) {
        reply_box box;
        commands.send(std::move(cmd), box.receiver());
        return box;
    }
};

bus::command add_command() {
    bus::command cmd;
    cmd.type = "counter.add";
    cmd.aggregate_id = "7";
    cmd.data = R"({"by":1})";
    return cmd;
}

std::string member(const std::string& object, std::string_view name) {
    std::vector<json::member> members;
    json::members_of(json::slice{object}, members);
    for (const auto& m : members) {
        if (m.named(name)) return std::string{m.value.text};
    }
    return "absent";
}

}  // namespace

TEST_CASE("commands: an unknown type is refused by name") {
    command_world w;
    auto cmd = add_command();
    cmd.type = "counter.multiply";
    const auto reply = w.send(std::move(cmd)).get();
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == bus::bus_errc::unknown_command);
    CHECK(reply.error().client.find("counter.multiply") != std::string::npos);
}

TEST_CASE("commands: data that breaks the schema is refused with pointers below /data") {
    command_world w;
    auto cmd = add_command();
    cmd.data = R"({"by":"many"})";
    const auto reply = w.send(std::move(cmd)).get();
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == bus::bus_errc::validation_failed);
    REQUIRE(reply.error().members);
    CHECK(boost::json::serialize(reply.error().members->at("errors")).find("\"/data/by\"") !=
          std::string::npos);
    CHECK(w.handler->commands.empty());
}

TEST_CASE("commands: large data is held against the schema by the handler, once") {
    command_world w;
    auto cmd = add_command();
    cmd.data = R"({"by":"many","note":")" + std::string(1'000, 'x') + R"("})";
    const auto box = w.send(std::move(cmd));
    REQUIRE(w.handler->commands.size() == 1);
    bus::accepted_command& taken = w.handler->commands[0];
    const auto checked = bus::check_data(taken);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == bus::bus_errc::validation_failed);
    CHECK(boost::json::serialize(checked.error().members->at("errors")).find("\"/data/by\"") !=
          std::string::npos);
    CHECK_FALSE(taken.unchecked);
    w.handler->answer(0, std::unexpected{checked.error()});
    CHECK(box.get().error().code == bus::bus_errc::validation_failed);
}

TEST_CASE("commands: data travels as the bytes that came in") {
    command_world w;
    auto cmd = add_command();
    cmd.data = "{ \"by\" : 1 , \"note\":1.0 }";
    const auto box = w.send(cmd);
    REQUIRE(w.handler->commands.size() == 1);
    CHECK(w.handler->commands[0].cmd.data == cmd.data);
    CHECK(w.handler->commands[0].stream == "counter-7");
    CHECK(w.handler->commands[0].category == "counter");
    w.handler->answer(0);
}

TEST_CASE("commands: ids out of bounds are refused") {
    command_world w;
    for (const auto& id : {std::string{}, std::string(256, 'a'), std::string{"a\x01"}}) {
        auto cmd = add_command();
        cmd.aggregate_id = id;
        const auto reply = w.send(std::move(cmd)).get();
        REQUIRE_FALSE(reply);
        CHECK(reply.error().code == bus::bus_errc::validation_failed);
    }
}

TEST_CASE("commands: events get the client's metadata and the server's own") {
    command_world w;
    auto cmd = add_command();
    cmd.metadata = R"({"note": {"a" : 1},"correlation_id":"c-1","causation_id":"mine"})";
    cmd.who.principal = "ann";
    cmd.who.traceparent = "00-1-2-01";
    const auto box = w.send(std::move(cmd));
    const auto& got = w.handler->commands.at(0).cmd;
    REQUIRE(json::validate(got.metadata));
    CHECK(member(got.metadata, "note") == R"({"a" : 1})");
    CHECK(member(got.metadata, "correlation_id") == "\"c-1\"");
    CHECK(member(got.metadata, "causation_id") == '"' + got.command_id->to_string() + '"');
    CHECK(member(got.metadata, "principal") == "\"ann\"");
    CHECK(member(got.metadata, "traceparent") == "\"00-1-2-01\"");

    const auto plain = w.send(add_command());
    const auto& second = w.handler->commands.at(1).cmd;
    REQUIRE(json::validate(second.metadata));
    CHECK(member(second.metadata, "correlation_id") == '"' + second.command_id->to_string() + '"');
    CHECK(member(second.metadata, "principal") == "absent");
}

TEST_CASE("commands: a client's metadata cannot name the server's members") {
    command_world w;
    const auto* name = GENERATE("principal", "tenant", "\\u0074enant");
    auto cmd = add_command();
    cmd.metadata = "{\"" + std::string{name} + "\":\"x\"}";
    const auto reply = w.send(std::move(cmd)).get();
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == bus::bus_errc::validation_failed);
}

TEST_CASE("commands: who may not send is refused before anything runs") {
    command_world w{{}, false};
    const auto reply = w.send(add_command()).get();
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == bus::bus_errc::forbidden);
    CHECK(reply.error().client == "command counter.add");
    CHECK(w.handler->commands.empty());
}

TEST_CASE("commands: keys carry kind and principal, none without the client's wish") {
    command_world w;
    auto plain = add_command();
    (void)w.send(plain);
    CHECK(w.handler->commands.at(0).keys.empty());
    CHECK(w.handler->commands.at(0).cmd.command_id.has_value());

    auto keyed = add_command();
    keyed.command_id = uuid_v7();
    keyed.idempotency_key = "k1";
    keyed.who.principal = "ann";
    (void)w.send(keyed);
    const auto& keys = w.handler->commands.at(1).keys;
    REQUIRE(keys.size() == 2);
    CHECK(keys[0] == "c3:ann" + keyed.command_id->to_string());
    CHECK(keys[1] == "k3:annk1");
}

TEST_CASE("commands: while the first with a key runs, the second is told so") {
    command_world w;
    auto cmd = add_command();
    cmd.idempotency_key = "k1";
    const auto first = w.send(cmd);
    const auto second = w.send(cmd).get();
    REQUIRE_FALSE(second);
    CHECK(second.error().code == bus::bus_errc::request_in_progress);

    auto other = cmd;
    other.who.principal = "bob";
    (void)w.send(other);
    CHECK(w.handler->commands.size() == 2);

    // The answer's receiver may repeat the request at once.
    mailbox<bool> repeated;
    auto fourth = add_command();
    fourth.idempotency_key = "k2";
    w.commands.send(fourth, [&](result<bus::command_reply>) {
        w.commands.send(fourth, [&](result<bus::command_reply> reply) {
            repeated.receiver()(!reply && reply.error().code == bus::bus_errc::request_in_progress);
        });
        if (repeated.empty()) repeated.receiver()(false);
    });
    w.handler->answer(2);
    CHECK_FALSE(repeated.get());
    w.handler->answer(3);
    w.handler->answer(0);
    CHECK(first.times() == 1);
}

TEST_CASE("commands: beyond in_flight_max the answer is busy, and room comes back") {
    command_world w{{.in_flight_max = 2}};
    (void)w.send(add_command());
    CHECK(w.commands.has_room());
    (void)w.send(add_command());
    const auto third = w.send(add_command()).get();
    REQUIRE_FALSE(third);
    CHECK(third.error().code == bus::bus_errc::busy);
    REQUIRE_FALSE(w.commands.has_room());
    CHECK(w.commands.has_room().error().code == bus::bus_errc::busy);
    w.handler->answer(0);
    CHECK(w.commands.has_room());
    const auto fourth = w.send(add_command());
    CHECK(fourth.empty());
    CHECK(w.handler->commands.size() == 3);
}

TEST_CASE("commands: at the deadline the client is answered, what comes later is dropped") {
    command_world w{{.timeout = 20ms}};
    auto cmd = add_command();
    cmd.idempotency_key = "k1";
    const auto box = w.send(cmd);
    const auto reply = box.get();
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == bus::bus_errc::deadline_exceeded);

    // It may still take effect, so its key is held.
    const auto again = w.send(cmd).get();
    REQUIRE_FALSE(again);
    CHECK(again.error().code == bus::bus_errc::request_in_progress);
    w.handler->answer(0);
    CHECK(box.times() == 1);
    CHECK(w.metrics.text().find("flexcore_command_late_answers_total 1") != std::string::npos);
}

TEST_CASE("commands: a handler that loses its callback fails the command, not the server") {
    command_world w;
    const auto box = w.send(add_command());
    w.handler->forget();
    const auto reply = box.get();
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == bus::bus_errc::handler_failed);
}

TEST_CASE("commands: the answer waits for inline projections, a refusal does not") {
    closed_gate gate;
    command_world w{{}, true, &gate};
    const auto accepted = w.send(add_command());
    bus::command_reply reply;
    reply.pos = 5;
    reply.events = {{.id = uuid_v7(), .type = "counter.added", .ver = 1, .pos = 5}};
    w.handler->answer(0, reply);
    CHECK(accepted.empty());
    CHECK(gate.waiting() == 1);
    gate.open();
    CHECK(accepted.get()->pos == 5);

    const auto refused = w.send(add_command());
    w.handler->answer(1, fail(bus::bus_errc::command_rejected, "no"));
    CHECK_FALSE(refused.get());

    const auto without_events = w.send(add_command());
    w.handler->answer(2);
    CHECK(without_events.get());
}

TEST_CASE("commands: the catalogue is sorted, a type has one handler") {
    command_world w;
    REQUIRE(w.commands.add(
        {.type = "a.first", .category = "a", .plugin = {}, .description = {}, .data_schema = {}},
        w.handler));
    const auto taken = w.commands.add({.type = "counter.add",
                                       .category = "a",
                                       .plugin = {},
                                       .description = {},
                                       .data_schema = {}},
                                      w.handler);
    REQUIRE_FALSE(taken);
    CHECK(taken.error().code == bus::bus_errc::duplicate_name);
    const auto all = w.commands.catalogue();
    REQUIRE(all.size() == 2);
    CHECK(all[0].type == "a.first");
    CHECK(all[1].description == "adds");
    w.commands.remove("counter.add");
    CHECK_FALSE(w.send(add_command()).get());
}

TEST_CASE("commands: each answer is counted by type and outcome") {
    command_world w;
    const auto ok = w.send(add_command());
    w.handler->answer(0);
    (void)w.send(add_command());
    w.handler->answer(1, fail(bus::bus_errc::command_rejected, "no"));
    const std::string text = w.metrics.text();
    CHECK(text.find(R"(flexcore_commands_total{outcome="ok",type="counter.add"} 1)") !=
          std::string::npos);
    CHECK(text.find(R"(flexcore_commands_total{outcome="rejected",type="counter.add"} 1)") !=
          std::string::npos);
}

TEST_CASE("commands: a stored reply comes back word for word") {
    bus::command_reply reply;
    reply.command_id = uuid_v7();
    reply.stream = "counter-ä\"1";
    reply.ver = 3;
    reply.pos = 18'446'744'073'709'551'615u;
    reply.events = {{.id = uuid_v7(), .type = "counter.added", .ver = 2, .pos = 8},
                    {.id = uuid_v7(), .type = "counter.reset", .ver = 3, .pos = 9}};
    reply.result = "{ \"value\" : 1.0e2 }";
    const auto back = bus::decode_answer(bus::encode_reply(reply));
    REQUIRE(back);
    CHECK(back->replayed);
    CHECK(back->command_id == reply.command_id);
    CHECK(back->stream == reply.stream);
    CHECK(back->ver == reply.ver);
    CHECK(back->pos == reply.pos);
    CHECK(back->result == reply.result);
    REQUIRE(back->events.size() == 2);
    CHECK(back->events[1].id == reply.events[1].id);
    CHECK(back->events[1].type == "counter.reset");
    CHECK(back->events[1].ver == 3);
    CHECK(back->events[1].pos == 9);
}

TEST_CASE("commands: a stored refusal comes back with its reason, marked as replayed") {
    const error refusal = error{bus::bus_errc::command_rejected, "too much", "for the log"}
                              .with("reason", "limit")
                              .with("limit", 10);
    const auto back = bus::decode_answer(bus::encode_rejection(refusal));
    REQUIRE_FALSE(back);
    CHECK(back.error().code == bus::bus_errc::command_rejected);
    CHECK(back.error().client == "too much");
    CHECK(back.error().members->at("reason") == "limit");
    CHECK(back.error().members->at("limit") == 10);
    CHECK(back.error().members->at("replayed") == true);
}

TEST_CASE("commands: a stored answer that is none is an internal error, not a crash") {
    for (const char* text : {"", "[]", "{}", "{\"reply\"", "{\"body\":1}"}) {
        const auto back = bus::decode_answer(text);
        REQUIRE_FALSE(back);
        CHECK(back.error().code == base_errc::internal);
    }
}

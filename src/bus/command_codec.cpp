#include "base/json.hpp"
#include "bus/command_bus.hpp"

#include <boost/json/serialize.hpp>

namespace flexcore::bus {
namespace {

void append_member(std::string& out, std::string_view name) {
    if (out.back() != '{') out += ',';
    json::append_string(out, name);
    out += ':';
}

void append_id(std::string& out, const uuid& id) {
    char text[36];
    id.write_to(text);
    out += '"';
    out.append(text, sizeof text);
    out += '"';
}

std::optional<json::slice> find(const std::vector<json::member>& members, std::string_view name) {
    for (const auto& member : members) {
        if (member.named(name)) return member.value;
    }
    return std::nullopt;
}

uuid id_of(std::optional<json::slice> value) {
    return value ? parse_uuid(value->string()).value_or(uuid{}) : uuid{};
}

std::uint64_t number_of(std::optional<json::slice> value) {
    return value ? value->unsigned_integer().value_or(0) : 0;
}

command_reply decode_reply(json::slice stored) {
    std::vector<json::member> members;
    json::members_of(stored, members);
    command_reply reply;
    reply.replayed = true;
    reply.command_id = id_of(find(members, "command_id"));
    if (const auto stream = find(members, "stream")) reply.stream = stream->string();
    reply.ver = number_of(find(members, "version"));
    reply.pos = number_of(find(members, "position"));
    if (const auto result = find(members, "result")) reply.result = result->text;
    if (const auto events = find(members, "events")) {
        std::vector<json::slice> list;
        json::elements_of(*events, list);
        std::vector<json::member> fields;
        for (const json::slice event : list) {
            json::members_of(event, fields);
            auto& made = reply.events.emplace_back();
            made.id = id_of(find(fields, "id"));
            if (const auto type = find(fields, "type")) made.type = type->string();
            made.ver = number_of(find(fields, "version"));
            made.pos = number_of(find(fields, "position"));
        }
    }
    return reply;
}

error decode_rejection(json::slice stored) {
    std::vector<json::member> members;
    json::members_of(stored, members);
    error rejection{bus_errc::command_rejected, {}};
    if (const auto text = find(members, "client")) rejection.client = text->string();
    if (const auto own = find(members, "members")) {
        if (auto value = json::to_value(own->text); value && value->is_object()) {
            rejection.members =
                std::make_shared<const boost::json::object>(std::move(value->get_object()));
        }
    }
    return std::move(rejection).with("replayed", true);
}

}  // namespace

std::string encode_reply(const command_reply& reply) {
    std::string out;
    out.reserve(192 + reply.stream.size() + reply.result.size() + reply.events.size() * 128);
    out += R"({"reply":{)";
    append_member(out, "command_id");
    append_id(out, reply.command_id);
    append_member(out, "stream");
    json::append_string(out, reply.stream);
    append_member(out, "version");
    json::append_number(out, reply.ver);
    append_member(out, "position");
    json::append_number(out, reply.pos);
    append_member(out, "events");
    out += '[';
    for (const auto& event : reply.events) {
        if (out.back() != '[') out += ',';
        out += '{';
        append_member(out, "id");
        append_id(out, event.id);
        append_member(out, "type");
        json::append_string(out, event.type);
        append_member(out, "version");
        json::append_number(out, event.ver);
        append_member(out, "position");
        json::append_number(out, event.pos);
        out += '}';
    }
    out += ']';
    append_member(out, "result");
    out += reply.result;
    out += "}}";
    return out;
}

std::string encode_rejection(const error& rejection) {
    std::string out = R"({"rejection":{)";
    append_member(out, "client");
    json::append_string(out, rejection.client);
    append_member(out, "members");
    out += rejection.members ? boost::json::serialize(*rejection.members) : "{}";
    out += "}}";
    return out;
}

result<command_reply> decode_answer(std::string_view stored) {
    const auto whole = json::parse(stored);
    if (whole && whole->type() == json::kind::object) {
        std::vector<json::member> members;
        json::members_of(*whole, members);
        if (const auto reply = find(members, "reply")) return decode_reply(*reply);
        if (const auto rejection = find(members, "rejection")) {
            return fail(decode_rejection(*rejection));
        }
    }
    return fail(base_errc::internal, "the stored answer cannot be read",
                "an idempotency key's answer is not one of a command: " + std::string{stored});
}

error key_reused() {
    return {bus_errc::idempotency_conflict,
            "this command_id or Idempotency-Key was used for another request"};
}

std::optional<result<command_reply>> known_answer(store::event_log& log,
                                                  const accepted_command& command) {
    for (const auto& key : command.keys) {
        auto known = log.find_answer(command.cmd.who.tenant, key);
        if (!known) return fail(std::move(known.error()));
        if (!*known) continue;
        if ((*known)->fingerprint != command.cmd.fingerprint) return fail(key_reused());
        return decode_answer((*known)->answer);
    }
    return std::nullopt;
}

}  // namespace flexcore::bus

#include "bus/command_metadata_impl.hpp"

#include "base/json.hpp"
#include "bus/errc.hpp"

namespace flexcore::bus {

error invalid(std::string_view pointer, std::string_view detail) {
    return error{bus_errc::validation_failed, std::string{pointer} + ": " + std::string{detail}}
        .with("errors",
              boost::json::array{boost::json::object{{"pointer", pointer}, {"detail", detail}}});
}

result<std::string> event_metadata(std::string_view client, const uuid& command_id,
                                   const caller& who) {
    char id[36];
    command_id.write_to(id);
    const std::string_view id_text{id, sizeof id};
    std::string out;
    out.reserve(client.size() + who.principal.size() + who.traceparent.size() +
                who.tracestate.size() + 160);
    out += '{';
    const auto add = [&](std::string_view name, std::string_view text) {
        if (out.size() > 1) out += ',';
        json::append_string(out, name);
        out += ':';
        json::append_string(out, text);
    };
    bool correlated = false;
    if (!client.empty()) {
        std::vector<json::member> members;
        json::members_of(json::slice{client}, members);
        for (const auto& member : members) {
            for (const std::string_view reserved : {"principal", "tenant"}) {
                if (member.named(reserved)) {
                    return fail(invalid("/metadata/" + std::string{reserved},
                                        "is set by the server and cannot be given"));
                }
            }
            if (member.named("causation_id")) continue;
            // The client's own trace is one thing with its state.
            if (!who.traceparent.empty() &&
                (member.named("traceparent") || member.named("tracestate")))
                continue;
            correlated = correlated || member.named("correlation_id");
            if (out.size() > 1) out += ',';
            out += '"';
            out += member.raw_name;
            out += "\":";
            out += member.value.text;
        }
    }
    if (!correlated) add("correlation_id", id_text);
    add("causation_id", id_text);
    if (!who.principal.empty()) add("principal", who.principal);
    if (!who.traceparent.empty()) add("traceparent", who.traceparent);
    if (!who.tracestate.empty()) add("tracestate", who.tracestate);
    out += '}';
    return out;
}

}  // namespace flexcore::bus

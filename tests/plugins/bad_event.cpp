// Decides for events and results that cannot be: each command type names what is wrong.
#include "rules.hpp"

namespace {

struct bad_event_rules : accepting_rules {
    static fc::decision decide(const fc::command& command, const state&) {
        const auto type = command.type();
        if (type == "bad_event.name") return fc::decision{}.event("not a name!", "{}");
        if (type == "bad_event.empty_name") return fc::decision{}.event("", "{}");
        if (type == "bad_event.payload") return fc::decision{}.event("bad_event.happened", "{bro");
        if (type == "bad_event.no_payload") return fc::decision{}.event("bad_event.happened", "");
        if (type == "bad_event.utf8")
            return fc::decision{}.event("bad_event.happened", "\"\xff\xfe\"");
        if (type == "bad_event.duplicate_member")
            return fc::decision{}.event("bad_event.happened", R"({"a":1,"a":2})");
        if (type == "bad_event.tag")
            return fc::decision{}.event("bad_event.happened", "{}", {"not a tag!"});
        if (type == "bad_event.result")
            return fc::decision{}.event("bad_event.happened", "{}").result("{bro");
        return fc::decision{}.event("bad_event.happened", "{}").result("{\"fine\":true}");
    }
};

class bad_event {
public:
    static void describe(fc::description<bad_event>& what) {
        what.id = "test.bad_event";
        what.version = "1.0.0";
        auto& aggregate = what.aggregate<bad_event_rules>("bad_event");
        for (const auto* type :
             {"bad_event.name", "bad_event.empty_name", "bad_event.payload", "bad_event.no_payload",
              "bad_event.utf8", "bad_event.duplicate_member", "bad_event.tag", "bad_event.result",
              "bad_event.fine"})
            aggregate.command(type);
        aggregate.event("bad_event.happened");
    }
};

}  // namespace

FLEXCORE_PLUGIN(bad_event)

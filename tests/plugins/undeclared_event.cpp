// Emits an event that its catalogue does not declare.
#include "rules.hpp"

namespace {

struct undeclared_rules : accepting_rules {
    static fc::decision decide(const fc::command&, const state&) {
        return fc::decision{}.event("undeclared.happened", "{}");
    }
};

class undeclared_event {
public:
    static void describe(fc::description<undeclared_event>& what) {
        what.id = "test.undeclared_event";
        what.version = "1.0.0";
        what.aggregate<undeclared_rules>("undeclared").command("undeclared.do");
    }
};

}  // namespace

FLEXCORE_PLUGIN(undeclared_event)

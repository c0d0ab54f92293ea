// Refuses to start, with a text for the operator.
#include "rules.hpp"

namespace {

class start_fails {
public:
    static void describe(fc::description<start_fails>& what) {
        what.id = "test.start_fails";
        what.version = "1.0.0";
        what.aggregate<accepting_rules>("start_fails").command("start_fails.do");
    }
    static void start() { throw fc::failure{FXC_UNAVAILABLE, "no route to the warehouse"}; }
};

}  // namespace

FLEXCORE_PLUGIN(start_fails)

// Claims the command type and the category of plugins/counter, and a query of its own: when both
// are to load, the second is refused and its query is not there.
#include "rules.hpp"

namespace {

class clashing_names {
public:
    static void describe(fc::description<clashing_names>& what) {
        what.id = "test.clashing_names";
        what.version = "1.0.0";
        what.query("clashing.query",
                   [](const fc::query&, const fc::views&) { return std::string{"{}"}; });
        what.aggregate<accepting_rules>("counter").command("counter.increment");
    }
};

}  // namespace

FLEXCORE_PLUGIN(clashing_names)

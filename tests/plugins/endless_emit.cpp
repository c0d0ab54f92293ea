// endless.do emits events for as long as the host lets it: until the host fails the call or the
// deadline passes. It does not mind being told FXC_BUSY.
#include "rules.hpp"

namespace {

struct endless_rules : accepting_rules {
    static void decide(const fc::command&, const state&, fc::completion& done) {
        const fc::new_event one{"endless.happened", R"({"filling":"0123456789abcdef"})", {}, 1};
        while (!done.call().cancelled()) {
            try {
                done.emit(one);
            } catch (const fc::failure&) {
                // Goes on all the same: that is the misdeed.
            }
        }
        done.succeed();
    }
};

class endless_emit {
public:
    static void describe(fc::description<endless_emit>& what) {
        what.id = "test.endless_emit";
        what.version = "1.0.0";
        auto& aggregate = what.aggregate<endless_rules>("endless");
        aggregate.command("endless.do");
        aggregate.event("endless.happened");
    }
};

}  // namespace

FLEXCORE_PLUGIN(endless_emit)

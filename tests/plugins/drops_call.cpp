// Takes every call and lets its completion go without an answer.
#include "rules.hpp"

namespace {

struct dropping_rules : accepting_rules {
    static void decide(const fc::command&, const state&, fc::completion& done) {
        const fc::completion dropped{std::move(done)};
    }
};

class drops_call {
public:
    static void describe(fc::description<drops_call>& what) {
        what.id = "test.drops_call";
        what.version = "1.0.0";
        what.aggregate<dropping_rules>("drops_call").command("drops_call.do");
        what.query("drops_call.query", [](const fc::query&, const fc::views&, fc::completion&) {});
    }
    static void process(const fc::message&, fc::completion& done) {
        const fc::completion dropped{std::move(done)};
    }
};

}  // namespace

FLEXCORE_PLUGIN(drops_call)

// Folding an event of type evolve_fails.bad fails; evolve_fails.good is fine. Its command
// evolve_fails.do emits whatever type its data names: {"type": "evolve_fails.good"}.
#include <stdexcept>

#include "rules.hpp"

namespace {

struct failing_rules : accepting_rules {
    static fc::decision decide(const fc::command& command, const state&) {
        const auto bad = command.payload().find("evolve_fails.bad") != std::string_view::npos;
        return fc::decision{}.event(bad ? "evolve_fails.bad" : "evolve_fails.good", "{}");
    }
    static void evolve(state&, const fc::event& event) {
        if (event.type() == "evolve_fails.bad") throw std::runtime_error{"evolve threw"};
    }
};

class evolve_fails {
public:
    static void describe(fc::description<evolve_fails>& what) {
        what.id = "test.evolve_fails";
        what.version = "1.0.0";
        auto& aggregate = what.aggregate<failing_rules>("evolve_fails");
        aggregate.command("evolve_fails.do");
        aggregate.event("evolve_fails.good");
        aggregate.event("evolve_fails.bad");
    }
};

}  // namespace

FLEXCORE_PLUGIN(evolve_fails)

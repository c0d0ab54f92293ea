// Counts meals: poison.food {"name"} adds a row to poison_meals; poison.pill makes it fail, at the
// position of the pill, until its processor is given "antidote" (then pills are skipped).
#include <atomic>
#include <stdexcept>

#include "rules.hpp"

namespace {

class poison_projection {
public:
    static void describe(fc::description<poison_projection>& what) {
        what.id = "test.poison_projection";
        what.version = "1.0.0";
        auto& aggregate = what.aggregate<serving_rules>("poison");
        aggregate.command("poison.serve");
        aggregate.event("poison.food");
        what.read_model("poison_meals").indexed({"position"});
        what.projection("poison_meals", &poison_projection::project)
            .types({"poison.food", "poison.pill"})
            .writes({"poison_meals"});
    }
    void project(const fc::event& event, fc::projection_views& views) {
        if (event.type() == "poison.food")
            views.put("poison_meals", event.id(),
                      R"({"position":)" + std::to_string(event.position()) + "}");
        else if (!immune_)
            throw std::runtime_error{"this is poison"};
    }
    std::string process(std::string_view given) {
        if (given == "antidote") immune_ = true;
        return {};
    }

private:
    struct serving_rules : accepting_rules {
        static fc::decision decide(const fc::command&, const state&) {
            return fc::decision{}.event("poison.food", "{}");
        }
    };
    std::atomic<bool> immune_ = false;
};

}  // namespace

FLEXCORE_PLUGIN(poison_projection)

// Does nothing wrong: finds the input wrong (FXC_INVALID), as a schema cannot; with a pointer.
#include "rules.hpp"

namespace {

struct invalid_rules : accepting_rules {
    static fc::decision decide(const fc::command& command, const state&) {
        if (command.payload().find("1999") != std::string_view::npos)
            throw fc::failure{FXC_INVALID, "the date is in the past",
                              R"({"errors":[{"pointer":"/data/date","detail":"is in the past"}]})"};
        return fc::decision{}.event("invalid_input.taken", "{}");
    }
};

class invalid_input {
public:
    static void describe(fc::description<invalid_input>& what) {
        what.id = "test.invalid_input";
        what.version = "1.0.0";
        what.reentrant = true;
        auto& aggregate = what.aggregate<invalid_rules>("invalid_input");
        aggregate.command("invalid_input.do");
        aggregate.event("invalid_input.taken");
    }
};

}  // namespace

FLEXCORE_PLUGIN(invalid_input)

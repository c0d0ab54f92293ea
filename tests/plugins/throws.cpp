// Every handler throws. The processor throws what its input names: "runtime_error", "int" or
// "failure" (FXC_INVALID); health throws until then, too.
#include <stdexcept>

#include "rules.hpp"

namespace {

struct throwing_rules : accepting_rules {
    [[noreturn]] static fc::decision decide(const fc::command&, const state&) {
        throw std::runtime_error{"decide threw"};
    }
};

class throws {
public:
    static void describe(fc::description<throws>& what) {
        what.id = "test.throws";
        what.version = "1.0.0";
        what.aggregate<throwing_rules>("throws").command("throws.do");
        what.query("throws.query", [](const fc::query&, const fc::views&) -> std::string {
            throw std::runtime_error{"query threw"};
        });
    }
    [[noreturn]] static std::string process(std::string_view what) {
        if (what == "int") throw 42;
        if (what == "failure") throw fc::failure{FXC_INVALID, "the input is wrong"};
        throw std::runtime_error{"process threw"};
    }
    [[noreturn]] static std::string health() { throw std::runtime_error{"health threw"}; }
};

}  // namespace

FLEXCORE_PLUGIN(throws)

// Blocks its thread for as many milliseconds as it is told: the processor by its input ("50"), the
// query slow.query and the command slow.do by {"ms": 50}. One call at a time (not reentrant).
#include <charconv>
#include <chrono>
#include <thread>

#include "rules.hpp"

namespace {

void sleep(std::string_view text) {
    const auto digits = text.find_first_of("0123456789");
    if (digits == std::string_view::npos) return;
    int ms = 0;
    std::from_chars(text.data() + digits, text.data() + text.size(), ms);
    std::this_thread::sleep_for(std::chrono::milliseconds{ms});
}

struct slow_rules : accepting_rules {
    static fc::decision decide(const fc::command& command, const state&) {
        sleep(command.payload());
        return fc::decision{}.event("slow.done", "{}");
    }
};

class slow_handler {
public:
    static void describe(fc::description<slow_handler>& what) {
        what.id = "test.slow_handler";
        what.version = "1.0.0";
        auto& aggregate = what.aggregate<slow_rules>("slow");
        aggregate.command("slow.do");
        aggregate.event("slow.done");
        what.query("slow.query",
                   [](const fc::query& query, const fc::views&) {
                       sleep(query.params);
                       return std::string{"{}"};
                   })
            .params(R"({"type":"object","properties":{"ms":{"type":"integer"}}})")
            .uncached();
    }
    static std::string process(std::string_view ms) {
        sleep(ms);
        return std::string{ms};
    }
};

}  // namespace

FLEXCORE_PLUGIN(slow_handler)

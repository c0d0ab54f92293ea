// Does not return while a file exists: the processor and the command name it, create, health and
// drain find it in the configuration. Calls may run concurrently, unless BLOCKS_ALONE is defined.
#include <unistd.h>

#include <chrono>
#include <thread>

#include "rules.hpp"

#ifndef BLOCKS_ALONE
#define BLOCKS_ALONE 0
#endif

namespace {

const std::string name = BLOCKS_ALONE ? "blocks_alone" : "blocks";

void block(const std::string& file) {
    while (!file.empty() && access(file.c_str(), F_OK) == 0)
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
}
/// The text of a member; the tests write no escapes.
std::string member(std::string_view json, const std::string& wanted) {
    const auto at = json.find("\"" + wanted + "\":\"");
    if (at == std::string_view::npos) return {};
    const auto rest = json.substr(at + wanted.size() + 4);
    return std::string{rest.substr(0, rest.find('"'))};
}

struct blocking_rules : accepting_rules {
    static fc::decision decide(const fc::command& command, const state&) {
        block(member(command.payload(), "file"));
        return fc::decision{}.event(name + ".done", "{}");
    }
};

class blocks {
public:
    blocks(const fc::host&, std::string_view config) : config_{config} {
        block(member(config_, "create"));
    }
    static void describe(fc::description<blocks>& what) {
        what.id = "test." + name;
        what.version = "1.0.0";
        what.reentrant = !BLOCKS_ALONE;
        auto& aggregate = what.aggregate<blocking_rules>(name);
        aggregate.command(name + ".do");
        aggregate.event(name + ".done");
    }
    static std::string process(std::string_view file) {
        block(std::string{file});
        return "went on";
    }
    std::string health() const {
        block(member(config_, "health"));
        return {};
    }
    void drain() { block(member(config_, "drain")); }

private:
    const std::string config_;
};

}  // namespace

FLEXCORE_PLUGIN(blocks)

// Feels unwell until its processor is given "well"; "unwell" takes it back.
#include <atomic>

#include "rules.hpp"

namespace {

class unhealthy {
public:
    static void describe(fc::description<unhealthy>& what) {
        what.id = "test.unhealthy";
        what.version = "1.0.0";
    }
    std::string process(std::string_view wish) {
        well_ = wish == "well";
        return std::string{wish};
    }
    std::string health() { return well_ ? "" : "the cache is cold"; }

private:
    std::atomic<bool> well_ = false;
};

}  // namespace

FLEXCORE_PLUGIN(unhealthy)

// Its projection needs something that is down (FXC_UNAVAILABLE) until the processor gets "up".
#include <atomic>

#include "rules.hpp"

namespace {

class dependency_down {
public:
    static void describe(fc::description<dependency_down>& what) {
        what.id = "test.dependency_down";
        what.version = "1.0.0";
        what.read_model("dependent_rows");
        what.projection("dependency_down", &dependency_down::project)
            .types({"dependent.happened"})
            .writes({"dependent_rows"});
    }
    void project(const fc::event& event, fc::projection_views& views) {
        if (!up_) throw fc::failure{FXC_UNAVAILABLE, "the dictionary is not there"};
        views.put("dependent_rows", event.key(), "{}");
    }
    std::string process(std::string_view given) {
        up_ = given == "up";
        return {};
    }

private:
    std::atomic<bool> up_ = false;
};

}  // namespace

FLEXCORE_PLUGIN(dependency_down)

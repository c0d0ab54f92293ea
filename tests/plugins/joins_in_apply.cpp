// Writes its rows on a thread that it makes and joins inside apply.
#include <exception>
#include <thread>

#include "rules.hpp"

namespace {

void project(const fc::event& event, fc::projection_views& views) {
    std::exception_ptr thrown;
    std::thread{[&] {
        try {
            const bool there = views.get("joined_rows", event.key()).has_value();
            views.put("joined_rows", event.key(), there ? R"({"n":2})" : R"({"n":1})");
        } catch (...) {
            thrown = std::current_exception();
        }
    }}.join();
    if (thrown) std::rethrow_exception(thrown);
}

class joins_in_apply {
public:
    static void describe(fc::description<joins_in_apply>& what) {
        what.id = "test.joins_in_apply";
        what.version = "1.0.0";
        what.read_model("joined_rows").indexed({"n"});
        what.projection("joins_in_apply", &project)
            .types({"joined.happened"})
            .writes({"joined_rows"});
    }
};

}  // namespace

FLEXCORE_PLUGIN(joins_in_apply)

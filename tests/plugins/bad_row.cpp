// Its projection writes rows that cannot be: each event type names what is wrong. It goes on as if
// nothing had been refused, so that it is the host who must not commit.
#include "rules.hpp"

namespace {

void project(const fc::event& event, fc::projection_views& views) {
    const auto type = event.type();
    try {
        if (type == "bad_row.text") views.put("bad_row_rows", "key", "{bro");
        if (type == "bad_row.array") views.put("bad_row_rows", "key", "[1]");
        if (type == "bad_row.empty_key") views.put("bad_row_rows", "", "{}");
        if (type == "bad_row.undeclared") views.put("somebody_elses_rows", "key", "{}");
        if (type == "bad_row.scan")
            static_cast<void>(views.scan("bad_row_rows", R"({"where":{"not_indexed":{"eq":1}}})"));
        if (type == "bad_row.fine") views.put("bad_row_rows", event.key(), R"({"fine":true})");
    } catch (const fc::failure&) {
        // Swallowed: that is the misdeed.
    }
}

class bad_row {
public:
    static void describe(fc::description<bad_row>& what) {
        what.id = "test.bad_row";
        what.version = "1.0.0";
        what.read_model("bad_row_rows").indexed({"fine"});
        what.projection("bad_row", &project)
            .types({"bad_row.text", "bad_row.array", "bad_row.empty_key", "bad_row.undeclared",
                    "bad_row.scan", "bad_row.fine"})
            .writes({"bad_row_rows"});
    }
};

}  // namespace

FLEXCORE_PLUGIN(bad_row)

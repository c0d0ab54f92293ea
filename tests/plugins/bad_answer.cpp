// Its queries answer what cannot be: text that is no JSON, nothing at all, bytes that are no UTF-8.
// bad_answer.reads reads a read model that it does not name in `reads`.
#include "rules.hpp"

namespace {

class bad_answer {
public:
    static void describe(fc::description<bad_answer>& what) {
        what.id = "test.bad_answer";
        what.version = "1.0.0";
        const auto says = [&what](const char* name, const char* text) {
            what.query(name,
                       [text](const fc::query&, const fc::views&) { return std::string{text}; });
        };
        says("bad_answer.text", "{bro");
        says("bad_answer.empty", "");
        says("bad_answer.utf8", "\"\xff\xfe\"");
        what.query("bad_answer.reads", [](const fc::query&, const fc::views& views) {
            return views.get("bad_answer_rows", "key");
        });
        what.read_model("bad_answer_rows");
        what.projection("bad_answer", [](const fc::event&, fc::projection_views&) {})
            .types({"bad_answer.happened"})
            .writes({"bad_answer_rows"});
    }
};

}  // namespace

FLEXCORE_PLUGIN(bad_answer)

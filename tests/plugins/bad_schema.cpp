// One of its commands has a schema that is no JSON Schema.
#include "rules.hpp"

namespace {

class bad_schema {
public:
    static void describe(fc::description<bad_schema>& what) {
        what.id = "test.bad_schema";
        what.version = "1.0.0";
        what.aggregate<accepting_rules>("bad_schema")
            .command("bad_schema.do")
            .schema(R"({"type":"no such type"})");
    }
};

}  // namespace

FLEXCORE_PLUGIN(bad_schema)

// Its projection writes, and its query reads, a read model that the catalogue does not declare.
#include "rules.hpp"

namespace {

class undeclared_model {
public:
    static void describe(fc::description<undeclared_model>& what) {
        what.id = "test.undeclared_model";
        what.version = "1.0.0";
        what.projection("undeclared", [](const fc::event&, fc::projection_views&) {})
            .types({"undeclared.happened"})
            .writes({"undeclared_rows"});
    }
};

}  // namespace

FLEXCORE_PLUGIN(undeclared_model)

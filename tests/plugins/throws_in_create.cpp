// Its constructor throws.
#include <stdexcept>

#include "rules.hpp"

namespace {

class throws_in_create {
public:
    throws_in_create() { throw std::runtime_error{"the constructor threw"}; }
    static void describe(fc::description<throws_in_create>& what) {
        what.id = "test.throws_in_create";
        what.version = "1.0.0";
    }
    static std::string process(std::string_view) { return {}; }
};

}  // namespace

FLEXCORE_PLUGIN(throws_in_create)

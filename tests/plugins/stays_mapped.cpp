// Claims FXC_UNLOADABLE, but leaves a thread_local with a destructor on the host's threads, which
// pins the library until they end.
#include <flexcore/plugin.hpp>

#include <string>
#include <string_view>

namespace {

class stays_mapped {
public:
    static void describe(flexcore::plugin::description<stays_mapped>& what) {
        what.id = "test.stays_mapped";
        what.version = "1.0.0";
        what.unloadable = true;
    }
    static std::string process(std::string_view input) {
        thread_local std::string last;
        last = input;
        return last;
    }
};

}  // namespace

FLEXCORE_PLUGIN(stays_mapped)

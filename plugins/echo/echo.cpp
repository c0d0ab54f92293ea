// echo: the shortest processor. Bytes in, the same bytes out; measures what a plugin call costs.
#include <flexcore/plugin.hpp>

#include <string>
#include <string_view>

namespace {

class echo {
public:
    static void describe(flexcore::plugin::description<echo>& what) {
        what.id = "flexcore.echo";
        what.version = "1.0.0";
        what.reentrant = true;
        what.unloadable = true;
    }
    static std::string process(std::string_view bytes) { return std::string{bytes}; }
};

}  // namespace

FLEXCORE_PLUGIN(echo)

// Does nothing wrong: needs a configuration {"greeting": string}, which its processor puts before
// its input.
#include <flexcore/plugin.hpp>

#include <string>
#include <string_view>

namespace {

class configured {
public:
    configured(const flexcore::plugin::host&, std::string_view config) {
        const auto from = config.find(':') + 2;
        greeting_ = config.substr(from, config.find('"', from) - from);
    }
    static void describe(flexcore::plugin::description<configured>& what) {
        what.id = "test.configured";
        what.version = "1.0.0";
        what.config_schema = R"({"type":"object","required":["greeting"],)"
                             R"("properties":{"greeting":{"type":"string"}},)"
                             R"("additionalProperties":false})";
    }
    std::string process(std::string_view name) { return greeting_ + " " + std::string{name}; }

private:
    std::string greeting_;
};

}  // namespace

FLEXCORE_PLUGIN(configured)

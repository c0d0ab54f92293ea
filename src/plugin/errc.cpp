#include "plugin/plugin_host.hpp"

namespace flexcore::plugin {
namespace {

class plugin_category final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "plugin"; }
    [[nodiscard]] std::string message(int code) const override {
        switch (static_cast<plugin_errc>(code)) {
            case plugin_errc::not_found:
                return "no such plugin";
            case plugin_errc::already_loaded:
                return "already loaded";
            case plugin_errc::outside_dirs:
                return "outside of the plugin folders";
            case plugin_errc::bad_file:
                return "not a plugin file";
            case plugin_errc::bad_abi:
                return "breaks the plugin ABI";
            case plugin_errc::bad_catalogue:
                return "bad catalogue";
            case plugin_errc::bad_config:
                return "bad configuration";
            case plugin_errc::refused:
                return "the plugin refused";
            case plugin_errc::failed:
                return "the plugin failed";
            case plugin_errc::invalid_input:
                return "invalid input";
            case plugin_errc::unsupported:
                return "unsupported";
            case plugin_errc::timeout:
                return "timeout";
            case plugin_errc::busy:
                return "busy";
            case plugin_errc::draining:
                return "draining";
            case plugin_errc::drain_timeout:
                return "drain timeout";
        }
        return "unknown plugin error";
    }
};

}  // namespace

std::error_code make_error_code(plugin_errc code) noexcept {
    static const plugin_category category;
    return {static_cast<int>(code), category};
}

}  // namespace flexcore::plugin

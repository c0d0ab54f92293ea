#include "gateway/errc.hpp"

namespace flexcore::gateway {
namespace {

class category final : public std::error_category {
public:
    const char* name() const noexcept override { return "gateway"; }
    std::string message(int value) const override {
        switch (static_cast<gateway_errc>(value)) {
            case gateway_errc::bad_request:
                return "bad request";
            case gateway_errc::validation_failed:
                return "validation failed";
            case gateway_errc::forbidden:
                return "forbidden";
            case gateway_errc::not_found:
                return "not found";
            case gateway_errc::method_not_allowed:
                return "method not allowed";
            case gateway_errc::append_conflict:
                return "append conflict";
            case gateway_errc::payload_too_large:
                return "payload too large";
            case gateway_errc::unsupported_media_type:
                return "unsupported media type";
            case gateway_errc::uri_too_long:
                return "URI too long";
            case gateway_errc::header_too_large:
                return "header too large";
            case gateway_errc::request_timeout:
                return "request timeout";
            case gateway_errc::expectation_failed:
                return "expectation failed";
            case gateway_errc::busy:
                return "busy";
            case gateway_errc::not_ready:
                return "not ready";
            case gateway_errc::upgrade_required:
                return "upgrade required";
        }
        return "unknown";
    }
};

}  // namespace

std::error_code make_error_code(gateway_errc code) noexcept {
    static const category instance;
    return {static_cast<int>(code), instance};
}

}  // namespace flexcore::gateway

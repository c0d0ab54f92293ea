#include "domain/errc.hpp"

namespace flexcore::domain {
namespace {

class domain_category final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "domain"; }
    [[nodiscard]] std::string message(int code) const override {
        switch (static_cast<domain_errc>(code)) {
            case domain_errc::unknown_projection:
                return "unknown projection";
            case domain_errc::wrong_state:
                return "wrong state";
            case domain_errc::behavior_failed:
                return "behavior failed";
            case domain_errc::log_incompatible:
                return "log incompatible";
        }
        return "unknown domain error";
    }
};

}  // namespace

std::error_code make_error_code(domain_errc code) noexcept {
    static const domain_category category;
    return {static_cast<int>(code), category};
}

}  // namespace flexcore::domain

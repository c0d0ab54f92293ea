#include "base/result.hpp"

namespace flexcore {
namespace {

class base_category final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "base"; }
    [[nodiscard]] std::string message(int code) const override {
        switch (static_cast<base_errc>(code)) {
            case base_errc::invalid_json:
                return "invalid JSON";
            case base_errc::invalid_name:
                return "invalid name";
            case base_errc::invalid_argument:
                return "invalid argument";
            case base_errc::io:
                return "the operating system refused";
            case base_errc::internal:
                return "internal error";
        }
        return "unknown base error";
    }
};

}  // namespace

std::error_code make_error_code(base_errc code) noexcept {
    static const base_category category;
    return {static_cast<int>(code), category};
}

}  // namespace flexcore

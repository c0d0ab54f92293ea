#include "schema/schema.hpp"

namespace flexcore {
namespace {

class schema_category final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "schema"; }
    [[nodiscard]] std::string message(int code) const override {
        switch (static_cast<schema_errc>(code)) {
            case schema_errc::invalid_schema:
                return "invalid schema";
            case schema_errc::invalid_value:
                return "the value breaks its schema";
        }
        return "unknown schema error";
    }
};

}  // namespace

std::error_code make_error_code(schema_errc code) noexcept {
    static const schema_category category;
    return {static_cast<int>(code), category};
}

}  // namespace flexcore

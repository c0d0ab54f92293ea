#include "bus/errc.hpp"

namespace flexcore::bus {
namespace {

class bus_category final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "bus"; }
    [[nodiscard]] std::string message(int code) const override {
        switch (static_cast<bus_errc>(code)) {
            case bus_errc::unknown_command:
                return "unknown command";
            case bus_errc::unknown_query:
                return "unknown query";
            case bus_errc::validation_failed:
                return "validation failed";
            case bus_errc::unauthorized:
                return "unauthorized";
            case bus_errc::forbidden:
                return "forbidden";
            case bus_errc::command_rejected:
                return "command rejected";
            case bus_errc::idempotency_conflict:
                return "idempotency conflict";
            case bus_errc::request_in_progress:
                return "request in progress";
            case bus_errc::read_model_behind:
                return "read model behind";
            case bus_errc::not_found:
                return "not found";
            case bus_errc::busy:
                return "busy";
            case bus_errc::deadline_exceeded:
                return "deadline exceeded";
            case bus_errc::handler_failed:
                return "handler failed";
            case bus_errc::unavailable:
                return "unavailable";
            case bus_errc::duplicate_name:
                return "duplicate name";
        }
        return "unknown bus error";
    }
};

}  // namespace

std::error_code make_error_code(bus_errc code) noexcept {
    static const bus_category category;
    return {static_cast<int>(code), category};
}

}  // namespace flexcore::bus

// key_registry: which idempotency keys are being worked on right now, in this process.
// (What is done is remembered by the store, in the transaction of the effect.)
//
// Threads:  any.
// Lifetime: the registry outlives its holds.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace flexcore::bus {

class key_registry {
public:
    key_registry();
    ~key_registry();

    /// Holds a key; gives it back when destroyed.
    class hold {
    public:
        hold() = default;
        hold(hold&&) noexcept;
        hold& operator=(hold&&) noexcept;
        ~hold();
        explicit operator bool() const noexcept { return registry_ != nullptr; }

    private:
        friend class key_registry;
        key_registry* registry_ = nullptr;
        std::string key_;
    };
    /// An empty hold when somebody has it: answer request_in_progress.
    [[nodiscard]] hold take(std::string_view tenant, std::string_view key);

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace flexcore::bus

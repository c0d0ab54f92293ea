// completion: ends one call, exactly once.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "message.hpp"

namespace flexcore::plugin {

/// The domain says no: FXC_REJECTED with {"reason": …} and a sentence for people.
[[nodiscard]] inline failure rejection(std::string_view reason, std::string why) {
    return {FXC_REJECTED, std::move(why), "{\"reason\":" + detail::json_text(reason) + "}"};
}

/// An event that a command causes. `data` is JSON.
struct new_event {
    std::string type;
    std::string data;
    std::vector<std::string> tags;
    std::uint32_t schema_version = 1;
};

/// Owns the right and the duty to end a call. Dropped without an answer, it fails the call.
/// May move to another thread and outlive the handler; the handler's input lives as long.
/// Not to be shared between threads at once.
class completion {
public:
    completion(const fxc_host* host, fxc_call handle) noexcept : host_{host}, handle_{handle} {}
    completion(completion&& other) noexcept
        : host_{other.host_}, handle_{std::exchange(other.handle_, 0)} {}
    completion& operator=(completion&&) = delete;
    ~completion() { fail(FXC_INTERNAL, "handler dropped the call"); }

    /// Still owes the call an answer.
    [[nodiscard]] bool open() const noexcept { return handle_ != 0; }
    [[nodiscard]] plugin::call call() const noexcept { return {host_, handle_}; }

    void succeed() noexcept {
        if (const auto handle = std::exchange(handle_, 0); handle != 0)
            host_->call_succeed(host_, handle, nullptr);
    }
    void succeed(std::string result) {
        if (handle_ == 0) return;
        auto buffer = detail::owned_buffer(std::move(result));
        host_->call_succeed(host_, std::exchange(handle_, 0), &buffer);
    }
    /// `problem_json` is empty or a JSON object for the caller.
    void fail(fxc_status status, std::string_view why,
              std::string_view problem_json = {}) noexcept {
        if (const auto handle = std::exchange(handle_, 0); handle != 0)
            host_->call_fail(host_, handle, status, view(why), view(problem_json));
    }
    void fail(const failure& why) noexcept { fail(why.status(), why.what(), why.problem_json()); }

    /// Adds an output message. Throws `failure` when the host does not take it; FXC_BUSY: later.
    void emit(const new_event& added) {
        std::vector<fxc_view> tags;
        tags.reserve(added.tags.size());
        for (const auto& tag : added.tags) tags.push_back(view(tag));
        fxc_message raw{};
        raw.struct_size = sizeof raw;
        raw.type = view(added.type);
        raw.content_type = view("application/json");
        raw.payload = view(added.data);
        raw.schema_version = added.schema_version;
        raw.tag_count = static_cast<std::uint32_t>(tags.size());
        raw.tags = tags.data();
        if (const auto status = host_->call_emit(host_, handle_, &raw); status != FXC_OK)
            throw failure{status, "the host does not take the event " + added.type};
    }

private:
    const fxc_host* host_;
    fxc_call handle_;
};

namespace detail {

/// Runs a handler's body; whatever it throws ends the call. Nothing leaves.
template <class Body>
void guarded(completion& done, Body&& body) noexcept {
    try {
        body();
    } catch (const failure& why) {
        done.fail(why);
    } catch (const std::exception& why) {
        done.fail(FXC_INTERNAL, why.what());
    } catch (...) {
        done.fail(FXC_INTERNAL, "unknown exception");
    }
}

/// The same for the plain functions of the ABI: a status and an error text.
template <class Body>
fxc_status guarded(fxc_buffer* error_out, Body&& body) noexcept {
    try {
        body();
        return FXC_OK;
    } catch (const failure& why) {
        put_error(error_out, why.what());
        return why.status() == FXC_OK ? FXC_INTERNAL : why.status();
    } catch (const std::exception& why) {
        put_error(error_out, why.what());
    } catch (...) {
        put_error(error_out, "unknown exception");
    }
    return FXC_INTERNAL;
}

}  // namespace detail
}  // namespace flexcore::plugin

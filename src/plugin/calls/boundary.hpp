// boundary: the one wall between host code and plugin code.
//
// Every step into a plugin goes through `guard` or at least a `current_plugin`: the crash reporter
// can then name the plugin, and an exception that does come through (its contract forbids it)
// becomes a text instead of ending the process.
// Threads: any; the mark is per thread.
#pragma once

#include <exception>
#include <optional>
#include <string>
#include <string_view>

namespace flexcore::plugin {

/// Names the plugin whose code this thread runs, while in scope. `name` must end in NUL and live
/// as long. Gives the thread an alternate signal stack, so that a stack overflow can be reported.
class current_plugin {
public:
    explicit current_plugin(const std::string& name) noexcept;
    current_plugin(const current_plugin&) = delete;
    current_plugin& operator=(const current_plugin&) = delete;
    ~current_plugin();

    /// [signal handler too] NULL: this thread runs no plugin code.
    [[nodiscard]] static const char* name() noexcept;

private:
    const char* before_;
};

/// Runs `call`; the text of the exception that came through, if one did.
template <class Call>
[[nodiscard]] std::optional<std::string> guard(const std::string& plugin, Call&& call) {
    const current_plugin mark{plugin};
    try {
        call();
        return std::nullopt;
    } catch (const std::exception& e) {
        return std::string{"exception: "} + e.what();
    } catch (...) {
        return "exception of unknown type";
    }
}

}  // namespace flexcore::plugin

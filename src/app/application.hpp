// application: the composition root. It alone constructs services, in floor order; each
// construction pushes its stop, and stops run last-in, first-out.
//
// Life:    construct → start → (serves) → stop. The destructor stops.
// Threads: one thread owns it; `port` on any after `start`.
#pragma once

#include "app/settings.hpp"

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <memory>
#include <string_view>

namespace flexcore::app {

/// Of this program: "0.1.0".
[[nodiscard]] std::string_view version() noexcept;
/// Of the store's library in use: "SQLite 3.40.1".
[[nodiscard]] std::string store_version();

class application {
public:
    explicit application(loaded_settings);
    ~application();

    /// Errors of the part that could not start, with the setting that mends it.
    [[nodiscard]] result<void> start();
    [[nodiscard]] std::uint16_t port() const noexcept;
    /// What it serves, for a person: a few lines.
    [[nodiscard]] std::string description() const;
    /// Drains, finishes running requests, checkpoints the log. Idempotent.
    void stop();

private:
    struct state;
    std::unique_ptr<state> state_;
};

struct serve_files {
    std::filesystem::path port_file;  ///< gets the port, renamed into place; empty: none
};

/// `flexcore serve`: runs until SIGTERM or SIGINT, then stops in order.
/// Gives the exit code: 0, or 1 when the stop took longer than runtime.stop_ms_max. A second
/// signal ends the process at once with 130.
/// Call before any other thread runs: signals are blocked for the threads started here.
[[nodiscard]] result<int> serve(const loaded_settings&, const serve_files&, std::ostream& out);

}  // namespace flexcore::app

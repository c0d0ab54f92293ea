// A flexcore server of this build as a real process on a free loopback port.
//
//   test::server server;                                    // fresh data folder, no plugins
//   test::server server{{.plugins = {"counter"}}};          // build/<preset>/plugins/counter.so
//   server.http("GET", "/livez").status == 200;
//   server.stop();      server.start();                     // the same data folder again
//   server.kill_hard(); server.start();                     // as after a crash
//
// With FLEXCORE_TEST_STORE=postgres in the environment its store is a schema of its own in the
// run's PostgreSQL, unless its env names another.
//
// Lifetime: the destructor kills the process and removes the folder.
// Threads:  start and stop on one thread; `http`, `port` and connections on any.
#pragma once

#include "support/http.hpp"
#include "support/postgres.hpp"
#include "support/process.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace flexcore::test {

/// The executable of this build.
[[nodiscard]] std::filesystem::path flexcore_program();
/// build/<preset>/plugins/<name>.so
[[nodiscard]] std::filesystem::path plugin_file(const std::string& name);

struct server_options {
    std::vector<std::string> plugins = {};  ///< names, or paths when they hold a '/'
    std::vector<std::string> args = {};     ///< more flags of `flexcore serve`
    std::map<std::string, std::string> env = {};
    std::string config = {};  ///< text of a settings file; empty: none
    std::uint16_t port = 0;   ///< 0: another free one at each start
    /// Where it keeps its data; empty: an own temporary folder.
    std::filesystem::path data = {};
};

class server {
public:
    explicit server(server_options = {});  ///< starts; throws with its log when it fails
    ~server();

    /// Starts again on the same data folder (on a new port, unless one was given).
    void start();
    /// SIGTERM, then waits for the end. Empty when it does not end in time.
    std::optional<exit_state> stop(std::chrono::milliseconds bound = std::chrono::seconds{60});
    /// SIGKILL, then reaps.
    void kill_hard();

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
    [[nodiscard]] std::filesystem::path data() const;
    /// What its events are in: the data folder, or the schema's name.
    [[nodiscard]] std::string kept_in() const;
    [[nodiscard]] process& running() { return *process_; }
    /// Everything it has written to standard error (its log) since the last start.
    [[nodiscard]] std::string log() const { return process_->err(); }
    [[nodiscard]] http_reply http(std::string_view method, std::string_view target,
                                  std::string_view body = {}, const headers& extra = {}) const;

private:
    server_options options_;
    std::unique_ptr<postgres_schema> schema_;  // dropped after the process has ended
    temp_folder folder_;
    std::unique_ptr<process> process_;
    std::uint16_t port_ = 0;
};

}  // namespace flexcore::test

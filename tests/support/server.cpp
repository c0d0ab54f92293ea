#include "support/server.hpp"

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace flexcore::test {

std::filesystem::path flexcore_program() {
    return std::filesystem::path{FLEXCORE_BINARY_DIR} / "flexcore";
}

std::filesystem::path plugin_file(const std::string& name) {
    return std::filesystem::path{FLEXCORE_BINARY_DIR} / "plugins" / (name + ".so");
}

namespace {

bool on_postgres(const server_options& options) {
    const char* store = std::getenv("FLEXCORE_TEST_STORE");
    return store != nullptr && std::string_view{store} == "postgres" &&
           !options.env.contains("FLEXCORE_STORE_URL");
}

}  // namespace

server::server(server_options options) : options_{std::move(options)} {
    if (on_postgres(options_)) {
        schema_ = std::make_unique<postgres_schema>();
        options_.env["FLEXCORE_STORE_URL"] = schema_->url();
        options_.env["FLEXCORE_STORE_SCHEMA"] = schema_->name();
    }
    start();
}
server::~server() = default;

std::filesystem::path server::data() const {
    return options_.data.empty() ? folder_ / "data" : options_.data;
}

std::string server::kept_in() const { return schema_ ? schema_->name() : data().string(); }

void server::start() {
    const std::filesystem::path port_file = folder_ / "port";
    std::filesystem::remove(port_file);
    process_options how;
    how.args = {"serve",           "--listen",      "127.0.0.1:" + std::to_string(options_.port),
                "--data",          data().string(), "--port-file",
                port_file.string()};
    if (!options_.config.empty()) {
        write_file(folder_ / "flexcore.toml", options_.config);
        how.args.insert(how.args.end(), {"--config", (folder_ / "flexcore.toml").string()});
    }
    for (const std::string& plugin : options_.plugins)
        how.args.insert(how.args.end(), {"--plugin", plugin.find('/') == std::string::npos
                                                         ? plugin_file(plugin).string()
                                                         : plugin});
    how.args.insert(how.args.end(), options_.args.begin(), options_.args.end());
    how.env = options_.env;
    process_ = std::make_unique<process>(flexcore_program(), std::move(how));
    // The file appears complete (it is renamed into place), after the socket listens.
    const bool up =
        wait_until([&] { return std::filesystem::exists(port_file) || !process_->running(); });
    if (!up || !process_->running())
        throw std::runtime_error{"the server did not start\n" + process_->err()};
    port_ = static_cast<std::uint16_t>(std::stoul(read_file(port_file)));
}

std::optional<exit_state> server::stop(std::chrono::milliseconds bound) {
    process_->signal(SIGTERM);
    return process_->wait(bound);
}

void server::kill_hard() {
    process_->signal(SIGKILL);
    if (!process_->wait()) throw std::runtime_error{"a killed server still runs"};
}

http_reply server::http(std::string_view method, std::string_view target, std::string_view body,
                        const headers& extra) const {
    return test::http(port_, method, target, body, extra);
}

}  // namespace flexcore::test

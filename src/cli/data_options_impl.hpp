// Private to src/cli: sub-commands that work on a store itself, without its server.
#pragma once

#include "app/data_folder.hpp"
#include "cli/serve_options_impl.hpp"
#include "cli/subcommands_impl.hpp"
#include "cli/terminal.hpp"

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace flexcore::cli {

struct data_options : serve_options {
    bool json = false;
};
/// --data, --store, --config, --set, --json.
void add_data_options(subcommand, data_options&);

/// The store that these, the environment and the settings give, as `flexcore serve` takes them.
/// What is wrong is said on `err`; then exit_usage follows.
[[nodiscard]] std::optional<store::store_settings> store_of(const context&, const data_options&);

/// For `report`: with --json a failure is said in JSON too.
[[nodiscard]] client_options as_client(const data_options&);

/// Events, streams, keys, read models: three lines; two when the log cannot be read.
[[nodiscard]] std::string counts_of(const store::verify_report&);

/// How far it is, read by the thread that draws.
class looked_at {
public:
    void take(const store::verify_progress& now) {
        if (now.step != step_) {
            step_ = now.step;
            before_ = done_;
        }
        done_ = before_ + now.done;
        share_ =
            now.total == 0 ? -1 : static_cast<double>(now.done) / static_cast<double>(now.total);
    }
    [[nodiscard]] progress::state state() const { return {done_, share_}; }

private:
    std::string step_;
    std::uint64_t before_ = 0;
    std::atomic<std::uint64_t> done_{0};
    std::atomic<double> share_{-1};
};

/// `work(tell)`, which tells how far it is; drawn for somebody who watches, a program waits for the
/// end.
template <class Work>
auto with_progress(const data_options& o, const char* what, const Work& work) {
    looked_at so_far;
    std::unique_ptr<progress> shown;
    if (!o.json && terminal_columns(STDERR_FILENO) != 0)
        shown = std::make_unique<progress>(what, [&so_far] { return so_far.state(); });
    const std::function<void(const store::verify_progress&)> tell =
        [&so_far](const store::verify_progress& now) { so_far.take(now); };
    return work(tell);
}

}  // namespace flexcore::cli

// fake_host: the host's side of the plugin ABI, in memory, for tests of plugins without the server.
//
// Strict where the real one is: handles have generations, stale completions are counted, rows are
// JSON objects in declared models, queries cannot write. Threads: everything on any thread.
#pragma once

#include <flexcore/plugin_abi.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::test {

struct emitted_event {
    std::string type, data;
    std::vector<std::string> tags;
    std::uint32_t schema_version = 0;
};

/// How a call ended.
struct outcome {
    fxc_status status = FXC_OK;
    std::string result, message, problem;
    std::vector<emitted_event> events;
};

class fake_host {
public:
    fake_host();
    fake_host(const fake_host&) = delete;
    fake_host& operator=(const fake_host&) = delete;

    [[nodiscard]] const fxc_host* raw() const noexcept { return &host_; }

    struct about {
        std::string target;
        std::string tenant = "default";
        bool may_write = false;  ///< rows, as a projection may
    };
    /// Runs `body` with a new call and waits until the call is completed; throws after 10 s.
    outcome run(about, const std::function<void(fxc_call)>& body);
    /// The same in two steps: `begin`, then `end` waits.
    fxc_call begin(about);
    outcome end(fxc_call);
    /// As a caller that has given up.
    void cancel(fxc_call);

    struct row {
        std::string json;
        std::uint64_t position = 0;
    };
    std::map<std::string, std::map<std::string, row>> models;  ///< only these exist

    struct line {
        std::int32_t level;
        std::string text;
        std::map<std::string, std::string> fields;
    };
    std::vector<line> log;
    std::map<std::string, double> metrics;  ///< sum of what was recorded, by name
    std::uint64_t stale_uses = 0;           ///< of handles that had ended
    std::size_t events_max = 1'000;         ///< per call, beyond: FXC_BUSY
    std::uint64_t row_reads = 0, row_writes = 0;
    bool grants_views = true;  ///< before `create`

private:
    struct running {
        about what;
        fxc_call_info info{};
        bool done = false, cancelled = false;
        outcome result;
    };
    struct services;
    friend struct services;
    [[nodiscard]] running* find(fxc_call);  // counts a stale use

    std::mutex mutex_;
    std::condition_variable ended_;
    std::map<fxc_call, running> calls_;
    fxc_call last_ = 0;
    std::vector<std::string> metric_names_;
    fxc_log log_table_;
    fxc_metrics metrics_table_;
    fxc_views views_table_;
    fxc_host host_;
};

}  // namespace flexcore::test

// `flexcore serve` around the application: log, signals, the port file, the bound on the stop.
#include "app/application.hpp"
#include "plugin/crash_reporter.hpp"
#include "runtime/signals.hpp"
#include "runtime/thread.hpp"
#include "telemetry/log.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <ostream>
#include <thread>

namespace flexcore::app {
namespace {

/// Set by the signal thread, awaited by the main one.
class stop_request {
public:
    void set() {
        const std::lock_guard lock{mutex_};
        set_ = true;
        changed_.notify_all();
    }
    void wait() {
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [this] { return set_; });
    }
    /// False when it was not set in time.
    bool wait_for(monotonic::duration bound) {
        std::unique_lock lock{mutex_};
        return changed_.wait_for(lock, bound, [this] { return set_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool set_ = false;
};

/// Ends the process with 1 when the stop has not ended in time.
class stop_bound {
public:
    explicit stop_bound(monotonic::duration bound)
        : thread_{runtime::start_thread("stop-bound", [this, bound] {
              if (done_.wait_for(bound)) return;
              // No destructors: whatever hangs may hold what they would wait for.
              std::fputs("flexcore: the stop took longer than runtime.stop_ms_max\n", stderr);
              ::_exit(1);
          })} {}
    ~stop_bound() {
        done_.set();
        thread_.join();
    }

private:
    stop_request done_;
    std::thread thread_;
};

/// The log of the settings; its lines are written out at the end of life.
class log_scope {
public:
    log_scope() = default;
    ~log_scope() { telemetry::log_stop(); }
    log_scope(const log_scope&) = delete;
    log_scope& operator=(const log_scope&) = delete;

    /// `where`: log.file was set.
    result<void> start(const settings& s, const std::string& where) {
        telemetry::log_settings log = s.log;
        const bool terminal = log.file.empty() && ::isatty(STDERR_FILENO) != 0 &&
                              std::getenv("NO_COLOR") == nullptr;  // NOLINT: before threads
        log.colour =
            s.colour == colour_choice::always || (s.colour == colour_choice::automatic && terminal);
        auto started = telemetry::log_start(log);
        if (started) return {};
        error e = std::move(started.error());
        e.client = fmt::format(
            "{}: the log cannot be written (log.file): {}. Name a file in a folder "
            "that can be written, or none for standard error",
            where, e.client);
        return fail(std::move(e));
    }
};

/// Each connection needs a descriptor, and the soft limit is 1024 on most machines. Where the hard
/// one is too low there are fewer connections: they must leave enough for the store and plugins,
/// which open files while they serve.
void raise_descriptor_limit(std::size_t& connections_max) {
    constexpr rlim_t others = 256;  // the store's files, plugins, the log
    const rlim_t wanted = connections_max + others;
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
    limit.rlim_cur = std::min(wanted, limit.rlim_max);
    if (::setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == wanted) return;
    const std::size_t possible = std::max<rlim_t>(
        1, limit.rlim_cur > 2 * others ? limit.rlim_cur - others : limit.rlim_cur / 2);
    telemetry::log(
        telemetry::level::warn, "app",
        "too few file descriptors for http.connections_max, so there are fewer "
        "connections; raise the hard limit (ulimit -Hn, LimitNOFILE=) or lower the "
        "setting",
        {{"connections_max", connections_max}, {"possible", possible}, {"limit", limit.rlim_cur}});
    connections_max = possible;
}

result<void> write_port(const std::filesystem::path& file, std::uint16_t port) {
    if (file.empty()) return {};
    // Renamed into place: whoever waits for the file never reads half of it.
    std::filesystem::path part = file;
    part += fmt::format(".{}", ::getpid());
    std::error_code ec;
    std::ofstream out{part};
    out << port << '\n';
    out.close();
    if (out) std::filesystem::rename(part, file, ec);
    if (!out || ec) {
        std::filesystem::remove(part, ec);
        return fail(base_errc::io, fmt::format("--port-file: cannot write {}", file.string()));
    }
    return {};
}

}  // namespace

result<int> serve(const loaded_settings& loaded, const serve_files& files, std::ostream& out) {
    runtime::ignore_broken_pipes();
    plugin::install_crash_reporter();
    stop_request stop;
    // Before the log: its thread must inherit the blocked signals.
    const runtime::stop_signal signals{[&stop] { stop.set(); }};
    log_scope log;
    if (auto logging = log.start(loaded.values, loaded.sources.at("log.file")); !logging)
        return fail(logging.error());
    if (!loaded.values.http.host.empty() && !is_loopback(loaded.values.http.host))
        telemetry::log(telemetry::level::warn, "app",
                       "listening beyond loopback without authentication: everybody who reaches "
                       "the port may do everything",
                       {{"host", std::string_view{loaded.values.http.host}}});
    for (const settings_problem& doubt : loaded.doubts)
        telemetry::log(
            telemetry::level::warn, "app", "a setting may not be meant so",
            {{"where", std::string_view{doubt.where}}, {"detail", std::string_view{doubt.text}}});
    loaded_settings with = loaded;
    raise_descriptor_limit(with.values.http.connections_max);
    application app{with};
    auto started = app.start();
    if (started) started = write_port(files.port_file, app.port());
    if (started) {
        if (loaded.values.log.format == telemetry::log_format::text)
            out << app.description() << std::flush;
        stop.wait();
        telemetry::log(telemetry::level::info, "app", "stopping");
    } else if (!started.error().log.empty()) {
        telemetry::log(telemetry::level::error, "app", "start failed",
                       {{"detail", std::string_view{started.error().log}}});
    }
    {
        const stop_bound bound{loaded.values.runtime.stop_max};
        app.stop();
    }
    if (!started) return fail(started.error());
    telemetry::log(telemetry::level::info, "app", "stopped");
    return 0;
}

}  // namespace flexcore::app

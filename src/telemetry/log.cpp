#include "telemetry/log.hpp"

#include "telemetry/log_line.hpp"
#include "telemetry/log_queue.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <utility>

namespace flexcore::telemetry {
namespace {

/// Room for a line that is built again and again on one thread; a larger one is given back.
constexpr std::size_t line_bytes_kept = 4096;

struct running_log {
    running_log(log_settings s, std::shared_ptr<spdlog::logger> to)
        : settings{std::move(s)}, queue{std::move(to)} {}
    const log_settings settings;
    log_queue queue;
};

std::shared_mutex current_mutex;       // written at start and stop only
std::unique_ptr<running_log> current;  // null: nothing is logged
std::atomic<level> level_min{level::off};

spdlog::sink_ptr make_sink(const std::string& file) {
    spdlog::sink_ptr sink;
    if (file.empty()) {
        sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    } else {
        sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file);
    }
    sink->set_pattern("%v");  // the line comes complete
    return sink;
}

/// Writes out what waits and forgets the log. `current_mutex` must be held.
void stop_locked() {
    level_min = level::off;
    current.reset();
}

}  // namespace

result<void> log_start(const log_settings& settings) try {
    const std::unique_lock lock{current_mutex};
    stop_locked();
    auto logger = std::make_shared<spdlog::logger>("flexcore", make_sink(settings.file));
    current = std::make_unique<running_log>(settings, std::move(logger));
    level_min = settings.level_min;
    return {};
} catch (const spdlog::spdlog_ex& e) {
    return fail(base_errc::io, "the log file cannot be opened", e.what());
}

void log_stop() {
    const std::unique_lock lock{current_mutex};
    stop_locked();
}

void log_set_level(level l) {
    const std::shared_lock lock{current_mutex};
    if (current) level_min = l;
}

bool log_enabled(level l) noexcept {
    return l != level::off && l >= level_min.load(std::memory_order_relaxed);
}

std::uint64_t log_dropped() noexcept {
    const std::shared_lock lock{current_mutex};
    return current ? current->queue.dropped() : 0;
}

void log(level l, std::string_view logger, std::string_view message,
         std::initializer_list<field> fields) {
    if (!log_enabled(l)) return;
    thread_local std::string line;
    line.clear();
    const log_entry entry{now_unix_us(), l, logger, message, fields};
    {
        const std::shared_lock lock{current_mutex};
        if (!current) return;
        if (current->settings.format == log_format::json) {
            append_json_line(line, entry);
        } else {
            append_text_line(line, entry, current->settings.colour);
        }
        current->queue.push(line, l >= level::warn);
    }
    if (line.capacity() > line_bytes_kept) line = {};
}

}  // namespace flexcore::telemetry

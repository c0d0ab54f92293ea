// The functions a plugin calls: nothing thrown here may reach it, no pointer it gives is followed
// unchecked where a check is possible. What cannot be answered without memory ends the process.
#include "base/names.hpp"
#include "plugin/calls/emit.hpp"
#include "plugin/calls/instance.hpp"
#include "plugin/calls/message.hpp"
#include "plugin/calls/views_service.hpp"
#include "telemetry/log.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <span>

namespace flexcore::plugin {
namespace {

constexpr std::size_t result_bytes_max = std::size_t{64} << 20;
constexpr std::size_t failure_text_max = std::size_t{4} << 10;
constexpr std::size_t problem_bytes_max = std::size_t{64} << 10;
constexpr std::size_t log_text_max = std::size_t{8} << 10;
constexpr std::size_t log_field_max = std::size_t{1} << 10;
constexpr std::size_t log_fields_max = 16;

instance* of(const fxc_host* host) {
    return host == nullptr ? nullptr : static_cast<instance*>(host->ctx);
}

/// UTF-8, cut to `bytes_max`.
std::string tidy(fxc_view text, std::size_t bytes_max) {
    if (text.data == nullptr || text.size == 0) return {};
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(text.size, bytes_max));
    return to_utf8({static_cast<const char*>(text.data), size});
}

const fxc_call_info* call_info(const fxc_host* host, fxc_call handle) noexcept {
    const auto* const self = of(host);
    if (self == nullptr) return nullptr;
    return self->info(handle);
}

std::int32_t call_cancelled(const fxc_host* host, fxc_call handle) noexcept {
    const auto* const self = of(host);
    // A stale handle has nobody waiting either.
    return self == nullptr || self->cancelled(handle).value_or(true) ? 1 : 0;
}

fxc_status call_emit(const fxc_host* host, fxc_call handle, const fxc_message* message) noexcept {
    const auto* const self = of(host);
    if (self == nullptr) return FXC_INVALID;
    try {
        const auto open = self->find(handle);
        return open.at == nullptr ? FXC_CANCELLED : emit_event(*open.at, message);
    } catch (...) {
        return FXC_INTERNAL;
    }
}

void call_succeed(const fxc_host* host, fxc_call handle, fxc_buffer* result) noexcept {
    auto* const self = of(host);
    if (self == nullptr) return;
    std::optional<call_failure> failure;
    std::string text;
    try {
        if (result != nullptr) {
            if (const auto bytes = text_of({result->data, result->size}, result_bytes_max)) {
                text = *bytes;
            } else {
                failure = {call_failure::origin::contract,
                           FXC_INTERNAL,
                           "a result without data, or of more than 64 MiB",
                           {},
                           {}};
            }
        }
    } catch (const std::exception&) {
        failure = {
            call_failure::origin::contract, FXC_INTERNAL, "no memory for the result", {}, {}};
    }
    if (result != nullptr) {
        if (result->release != nullptr) {
            // Caught here: this function may let nothing out, and the call must end all the same.
            const auto thrown = guard(self->name(), [&] { result->release(result); });
            if (thrown && !failure)
                failure = {call_failure::origin::contract,
                           FXC_INTERNAL,
                           "let an exception out of release: " + *thrown,
                           {},
                           {}};
        }
        *result = {};
    }
    self->complete(handle, std::move(failure), std::move(text));
}

void call_fail(const fxc_host* host, fxc_call handle, fxc_status status, fxc_view message,
               fxc_view problem) noexcept {
    auto* const self = of(host);
    if (self == nullptr) return;
    const bool known = status >= FXC_INVALID && status <= FXC_REJECTED;
    call_failure failure{call_failure::origin::plugin,
                         known ? status : FXC_INTERNAL,
                         tidy(message, failure_text_max),
                         {},
                         {}};
    if (const auto json = text_of(problem, problem_bytes_max)) failure.problem_json = *json;
    self->complete(handle, std::move(failure), {});
}

const void* service(const fxc_host* host, const char* id) noexcept {
    const auto* const self = of(host);
    if (self == nullptr || id == nullptr) return nullptr;
    const auto& tables = self->seen_by_plugin();
    if (std::strcmp(id, FXC_SERVICE_LOG) == 0) return &tables.log;
    if (std::strcmp(id, FXC_SERVICE_METRICS) == 0) return &tables.metrics;
    if (std::strcmp(id, FXC_SERVICE_VIEWS) == 0) return &tables.views;
    return nullptr;
}

// ---- log

telemetry::level level_of(std::int32_t level) {
    switch (level) {
        case FXC_TRACE:
            return telemetry::level::trace;
        case FXC_DEBUG:
            return telemetry::level::debug;
        case FXC_INFO:
            return telemetry::level::info;
        case FXC_WARN:
            return telemetry::level::warn;
        default:
            return telemetry::level::error;
    }
}

std::int32_t lowest_level() {
    for (std::int32_t level = FXC_TRACE; level < FXC_ERROR; ++level)
        if (telemetry::log_enabled(level_of(level))) return level;
    return FXC_ERROR;
}

/// A key that the line has already, the host's own included, is prefixed: no member stands twice.
std::string fresh_key(std::string key, std::span<const telemetry::field> before) {
    const auto taken = [&] {
        return key.empty() || key == "ts" || key == "level" || key == "logger" || key == "msg" ||
               std::ranges::any_of(before, [&](const auto& each) { return each.key == key; });
    };
    while (taken()) key.insert(key.begin(), '_');
    return key;
}

/// The log takes a list that is written out; ours has any length up to the bound.
template <std::size_t... I>
void log_fields(telemetry::level level, std::string_view logger, std::string_view message,
                const std::array<telemetry::field, log_fields_max>& fields,
                std::index_sequence<I...>) {
    telemetry::log(level, logger, message, {fields[I]...});
}
template <std::size_t N = 0>
void log_first(std::size_t count, telemetry::level level, std::string_view logger,
               std::string_view message,
               const std::array<telemetry::field, log_fields_max>& fields) {
    if constexpr (N < log_fields_max) {
        if (count > N) return log_first<N + 1>(count, level, logger, message, fields);
    }
    log_fields(level, logger, message, fields, std::make_index_sequence<N>{});
}

void log_write(const fxc_host* host, std::int32_t raw_level, fxc_view message,
               const fxc_field* given, std::size_t count) noexcept {
    const auto* const self = of(host);
    const auto level = level_of(raw_level);
    if (self == nullptr || !telemetry::log_enabled(level)) return;
    try {
        std::array<std::string, 2 * log_fields_max> texts;
        std::array<telemetry::field, log_fields_max> fields;
        const std::size_t taken = given == nullptr ? 0 : std::min(count, log_fields_max);
        for (std::size_t i = 0; i < taken; ++i) {
            texts[2 * i] = fresh_key(tidy(given[i].key, log_field_max), {fields.data(), i});
            texts[2 * i + 1] = tidy(given[i].value, log_field_max);
            fields[i] = {texts[2 * i], std::string_view{texts[2 * i + 1]}};
        }
        log_first(taken, level, "plugin." + self->name(), tidy(message, log_text_max), fields);
    } catch (const std::exception&) {
        return;  // no memory for a log line
    }
}

// ---- metrics

std::uint64_t metrics_define(const fxc_host* host, std::int32_t kind, fxc_view name, fxc_view unit,
                             fxc_view help) noexcept {
    auto* const self = of(host);
    if (self == nullptr) return 0;
    try {
        return self->plugin_metrics().define(kind, name, unit, help);
    } catch (const std::exception&) {
        return 0;
    }
}

void metrics_record(const fxc_host* host, std::uint64_t metric, double value,
                    const fxc_field* fields, std::size_t count) noexcept {
    auto* const self = of(host);
    if (self == nullptr) return;
    try {
        self->plugin_metrics().record(metric, value, fields, count);
    } catch (const std::exception&) {
        return;
    }
}

}  // namespace

host_tables make_host_tables(void* ctx) {
    host_tables tables{};
    tables.host = {.struct_size = sizeof(fxc_host),
                   .abi_minor = FXC_ABI_MINOR,
                   .ctx = ctx,
                   .call_info = call_info,
                   .call_cancelled = call_cancelled,
                   .call_emit = call_emit,
                   .call_succeed = call_succeed,
                   .call_fail = call_fail,
                   .service = service};
    tables.log = {.struct_size = sizeof(fxc_log), .level_min = lowest_level(), .write = log_write};
    tables.metrics = {.struct_size = sizeof(fxc_metrics),
                      .reserved = 0,
                      .define = metrics_define,
                      .record = metrics_record};
    tables.views = make_views_table();
    return tables;
}

}  // namespace flexcore::plugin

// What the host offers: log, metrics, read models.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "message.hpp"

namespace flexcore::plugin {

enum class level : std::int32_t {
    trace = FXC_TRACE,
    debug = FXC_DEBUG,
    info = FXC_INFO,
    warn = FXC_WARN,
    error = FXC_ERROR
};
using field = std::pair<std::string_view, std::string_view>;
using fields = std::initializer_list<field>;

namespace detail {
inline std::vector<fxc_field> raw(fields given) {
    std::vector<fxc_field> out;
    out.reserve(given.size());
    for (const auto& [key, value] : given) out.push_back({view(key), view(value)});
    return out;
}
}  // namespace detail

/// A counter, gauge or histogram. A refused one records nothing.
class metric {
public:
    metric() = default;
    metric(const fxc_host* host, const fxc_metrics* table, std::uint64_t id) noexcept
        : host_{host}, table_{table}, id_{id} {}
    void record(double value, fields labels = {}) const {
        if (id_ == 0) return;
        const auto list = detail::raw(labels);
        table_->record(host_, id_, value, list.data(), list.size());
    }

private:
    const fxc_host* host_ = nullptr;
    const fxc_metrics* table_ = nullptr;
    std::uint64_t id_ = 0;
};

/// The host, as an instance keeps it: a value, usable on any thread until the plugin is closed.
class host {
public:
    explicit host(const fxc_host* raw)
        : raw_{raw},
          log_{service<fxc_log>(FXC_SERVICE_LOG)},
          metrics_{service<fxc_metrics>(FXC_SERVICE_METRICS)},
          views_{service<fxc_views>(FXC_SERVICE_VIEWS)} {}

    [[nodiscard]] bool logs(level at) const noexcept {
        return log_ != nullptr && static_cast<std::int32_t>(at) >= log_->level_min;
    }
    void log(level at, std::string_view what, fields with = {}) const {
        if (!logs(at)) return;
        const auto list = detail::raw(with);
        log_->write(raw_, static_cast<std::int32_t>(at), view(what), list.data(), list.size());
    }

    /// Define while starting; names in snake_case, the unit as in "seconds" or "bytes".
    [[nodiscard]] metric counter(std::string_view name, std::string_view unit,
                                 std::string_view help) const {
        return define(FXC_COUNTER, name, unit, help);
    }
    [[nodiscard]] metric gauge(std::string_view name, std::string_view unit,
                               std::string_view help) const {
        return define(FXC_GAUGE, name, unit, help);
    }
    [[nodiscard]] metric histogram(std::string_view name, std::string_view unit,
                                   std::string_view help) const {
        return define(FXC_HISTOGRAM, name, unit, help);
    }

    /// For what this wrapper does not cover.
    [[nodiscard]] const fxc_host* raw() const noexcept { return raw_; }
    [[nodiscard]] const fxc_views* views_table() const noexcept { return views_; }

private:
    template <class Table>
    [[nodiscard]] const Table* service(const char* id) const noexcept {
        const auto* table = static_cast<const Table*>(raw_->service(raw_, id));
        return table != nullptr && table->struct_size >= sizeof(Table) ? table : nullptr;
    }
    [[nodiscard]] metric define(std::int32_t kind, std::string_view name, std::string_view unit,
                                std::string_view help) const {
        if (metrics_ == nullptr) return {};
        return {raw_, metrics_, metrics_->define(raw_, kind, view(name), view(unit), view(help))};
    }

    const fxc_host* raw_;
    const fxc_log* log_;
    const fxc_metrics* metrics_;
    const fxc_views* views_;
};

struct row {
    std::string key;
    std::string json;
};
struct page {
    std::vector<row> rows;
    std::string next;  ///< cursor for "after", empty when there is no more
};

/// Read models, seen from one call. Throws `failure` when the host refuses.
class views {
public:
    views(const host& from, fxc_call handle)
        : host_{from.raw()}, table_{from.views_table()}, handle_{handle} {
        if (table_ == nullptr) throw failure{FXC_DENIED, "the host grants no read models"};
    }

    [[nodiscard]] std::optional<std::string> get(std::string_view model,
                                                 std::string_view key) const {
        held_buffer row;
        const auto status = table_->get(host_, handle_, view(model), view(key), &row.raw);
        if (status == FXC_NOT_FOUND) return std::nullopt;
        require(status, "get", model);
        return row.text();
    }

    /// {"where": {"field": {"eq"|"lt"|"le"|"gt"|"ge": value}}, "order": ["-units", "sku"],
    ///  "limit": n, "after": cursor}; only fields declared as indexed.
    [[nodiscard]] page scan(std::string_view model, std::string_view query_json) const {
        struct reader {
            page out;
            bool out_of_memory = false;
        } into;
        held_buffer next;
        const auto status = table_->scan(
            host_, handle_, view(model), view(query_json),
            [](void* user, fxc_view key, fxc_view json) -> std::int32_t {
                auto& reading = *static_cast<reader*>(user);
                try {
                    reading.out.rows.push_back(
                        {std::string{plugin::text(key)}, std::string{plugin::text(json)}});
                    return 0;
                } catch (...) {
                    reading.out_of_memory = true;
                    return 1;
                }
            },
            &into, &next.raw);
        require(status, "scan", model);
        if (into.out_of_memory) throw failure{FXC_BUSY, "no memory for the rows"};
        into.out.next = next.text();
        return std::move(into.out);
    }

protected:
    struct held_buffer {
        fxc_buffer raw{};
        held_buffer() = default;
        held_buffer(const held_buffer&) = delete;
        held_buffer& operator=(const held_buffer&) = delete;
        ~held_buffer() {
            if (raw.release != nullptr) raw.release(&raw);
        }
        [[nodiscard]] std::string text() const {
            return {static_cast<const char*>(raw.data), static_cast<std::size_t>(raw.size)};
        }
    };
    static void require(fxc_status status, const char* what, std::string_view model) {
        if (status == FXC_OK) return;
        throw failure{status, std::string{"read model "}.append(model).append(": ").append(what) +
                                  " was refused, status " + std::to_string(status)};
    }

    const fxc_host* host_;
    const fxc_views* table_;
    fxc_call handle_;
};

/// The same for a projection, which also writes. A change carries the position of the event at
/// hand, or the one that is named. Rows are JSON objects; reads see earlier writes.
class projection_views : public views {
public:
    using views::views;

    void put(std::string_view model, std::string_view key, std::string_view row_json) const {
        put(model, key, row_json, position_);
    }
    void put(std::string_view model, std::string_view key, std::string_view row_json,
             std::uint64_t position) const {
        require(table_->put(host_, handle_, view(model), view(key), view(row_json), position),
                "put", model);
    }
    /// Removing what is not there is fine.
    void remove(std::string_view model, std::string_view key) const {
        remove(model, key, position_);
    }
    void remove(std::string_view model, std::string_view key, std::uint64_t position) const {
        require(table_->remove(host_, handle_, view(model), view(key), position), "remove", model);
    }

    /// The position of the event at hand.
    [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
    /// Set by the wrapper before each event.
    void at(std::uint64_t position) noexcept { position_ = position; }

private:
    std::uint64_t position_ = 0;
};

}  // namespace flexcore::plugin

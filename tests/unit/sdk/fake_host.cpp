#include "unit/sdk/fake_host.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <stdexcept>

namespace flexcore::test {
namespace json = boost::json;

namespace {

std::string_view text(fxc_view view) {
    return {static_cast<const char*>(view.data), static_cast<std::size_t>(view.size)};
}
fxc_view view(std::string_view text) { return {text.data(), text.size()}; }

fxc_buffer buffer(std::string content) {
    auto* owned = new std::string{std::move(content)};
    return {owned->data(), owned->size(),
            [](fxc_buffer* self) {
                delete static_cast<std::string*>(self->owner);
                *self = {};
            },
            owned};
}

/// Numbers by value, texts by bytes; different kinds have some order.
int compare(const json::value& a, const json::value& b) {
    if (a.is_number() && b.is_number()) {
        const auto x = a.to_number<double>(), y = b.to_number<double>();
        return x < y ? -1 : x > y ? 1 : 0;
    }
    if (a.is_string() && b.is_string()) return a.get_string().compare(b.get_string());
    return static_cast<int>(a.kind()) - static_cast<int>(b.kind());
}

bool fits(const json::object& row, const json::object& where) {
    for (const auto& [name, conditions] : where)
        for (const auto& [op, value] : conditions.as_object()) {
            const auto* field = row.if_contains(name);
            if (field == nullptr) return false;
            const int order = compare(*field, value);
            const bool fit = op == "eq"   ? order == 0
                             : op == "lt" ? order < 0
                             : op == "le" ? order <= 0
                             : op == "gt" ? order > 0
                             : op == "ge" ? order >= 0
                                          : throw std::runtime_error{"unknown comparison"};
            if (!fit) return false;
        }
    return true;
}

}  // namespace

struct fake_host::services {
    static fake_host& of(const fxc_host* host) { return *static_cast<fake_host*>(host->ctx); }

    static const fxc_call_info* call_info(const fxc_host* host, fxc_call handle) {
        auto& self = of(host);
        const std::lock_guard hold{self.mutex_};
        const auto at = self.calls_.find(handle);
        return at == self.calls_.end() || at->second.done ? nullptr : &at->second.info;
    }
    static std::int32_t call_cancelled(const fxc_host* host, fxc_call handle) {
        auto& self = of(host);
        const std::lock_guard hold{self.mutex_};
        const auto at = self.calls_.find(handle);
        return at == self.calls_.end() || at->second.cancelled ? 1 : 0;
    }
    static fxc_status call_emit(const fxc_host* host, fxc_call handle, const fxc_message* event) {
        auto& self = of(host);
        const std::lock_guard hold{self.mutex_};
        auto* call = self.find(handle);
        if (call == nullptr) return FXC_INVALID;
        if (call->result.events.size() >= self.events_max) return FXC_BUSY;
        emitted_event copy{std::string{text(event->type)},
                           std::string{text(event->payload)},
                           {},
                           event->schema_version};
        for (std::uint32_t i = 0; i < event->tag_count; ++i)
            copy.tags.emplace_back(text(event->tags[i]));
        call->result.events.push_back(std::move(copy));
        return FXC_OK;
    }
    static void call_succeed(const fxc_host* host, fxc_call handle, fxc_buffer* result) {
        auto& self = of(host);
        {
            const std::lock_guard hold{self.mutex_};
            if (auto* call = self.find(handle); call != nullptr) {
                if (result != nullptr) call->result.result = text({result->data, result->size});
                call->done = true;
            }
        }
        self.ended_.notify_all();
        if (result != nullptr && result->release != nullptr) result->release(result);
    }
    static void call_fail(const fxc_host* host, fxc_call handle, fxc_status status,
                          fxc_view message, fxc_view problem) {
        auto& self = of(host);
        {
            const std::lock_guard hold{self.mutex_};
            if (auto* call = self.find(handle); call != nullptr) {
                call->result.status = status;
                call->result.message = text(message);
                call->result.problem = text(problem);
                call->done = true;
            }
        }
        self.ended_.notify_all();
    }
    static const void* service(const fxc_host* host, const char* id) {
        auto& self = of(host);
        if (std::string_view{id} == FXC_SERVICE_LOG) return &self.log_table_;
        if (std::string_view{id} == FXC_SERVICE_METRICS) return &self.metrics_table_;
        if (std::string_view{id} == FXC_SERVICE_VIEWS && self.grants_views)
            return &self.views_table_;
        return nullptr;
    }

    static void write(const fxc_host* host, std::int32_t level, fxc_view message,
                      const fxc_field* fields, std::size_t count) {
        auto& self = of(host);
        const std::lock_guard hold{self.mutex_};
        line written{level, std::string{text(message)}, {}};
        for (std::size_t i = 0; i < count; ++i)
            written.fields.emplace(text(fields[i].key), text(fields[i].value));
        self.log.push_back(std::move(written));
    }
    static std::uint64_t define(const fxc_host* host, std::int32_t, fxc_view name, fxc_view,
                                fxc_view) {
        auto& self = of(host);
        const std::lock_guard hold{self.mutex_};
        if (name.size == 0) return 0;
        self.metric_names_.emplace_back(text(name));
        return self.metric_names_.size();
    }
    static void record(const fxc_host* host, std::uint64_t metric, double value, const fxc_field*,
                       std::size_t) {
        auto& self = of(host);
        const std::lock_guard hold{self.mutex_};
        self.metrics[self.metric_names_.at(metric - 1)] += value;
    }

    static fxc_status get(const fxc_host* host, fxc_call handle, fxc_view model, fxc_view key,
                          fxc_buffer* out) {
        auto& self = of(host);
        const std::lock_guard hold{self.mutex_};
        if (self.find(handle) == nullptr) return FXC_INVALID;
        const auto rows = self.models.find(std::string{text(model)});
        if (rows == self.models.end()) return FXC_DENIED;
        ++self.row_reads;
        const auto row = rows->second.find(std::string{text(key)});
        if (row == rows->second.end()) return FXC_NOT_FOUND;
        *out = buffer(row->second.json);
        return FXC_OK;
    }
    static fxc_status change(const fxc_host* host, fxc_call handle, fxc_view model, fxc_view key,
                             const fxc_view* row, std::uint64_t position) {
        auto& self = of(host);
        const std::lock_guard hold{self.mutex_};
        const auto* call = self.find(handle);
        if (call == nullptr) return FXC_INVALID;
        const auto rows = self.models.find(std::string{text(model)});
        if (!call->what.may_write || rows == self.models.end()) return FXC_DENIED;
        if (position == 0 || key.size == 0) return FXC_INVALID;
        ++self.row_writes;
        if (row == nullptr) {
            rows->second.erase(std::string{text(key)});
            return FXC_OK;
        }
        boost::system::error_code error;
        if (const auto parsed = json::parse(text(*row), error); error || !parsed.is_object())
            return FXC_INVALID;
        rows->second[std::string{text(key)}] = {std::string{text(*row)}, position};
        return FXC_OK;
    }
    static fxc_status put(const fxc_host* host, fxc_call handle, fxc_view model, fxc_view key,
                          fxc_view row, std::uint64_t position) {
        return change(host, handle, model, key, &row, position);
    }
    static fxc_status remove(const fxc_host* host, fxc_call handle, fxc_view model, fxc_view key,
                             std::uint64_t position) {
        return change(host, handle, model, key, nullptr, position);
    }

    // The cursor is the number of rows that came before.
    static fxc_status scan(const fxc_host* host, fxc_call handle, fxc_view model, fxc_view query,
                           fxc_row_fn each, void* user, fxc_buffer* next_out) {
        auto& self = of(host);
        std::vector<std::pair<std::string, std::string>> found;
        const auto asked = json::parse(text(query)).as_object();
        {
            const std::lock_guard hold{self.mutex_};
            if (self.find(handle) == nullptr) return FXC_INVALID;
            const auto rows = self.models.find(std::string{text(model)});
            if (rows == self.models.end()) return FXC_DENIED;
            const auto* where = asked.if_contains("where");
            for (const auto& [key, row] : rows->second)
                if (where == nullptr || fits(json::parse(row.json).as_object(), where->as_object()))
                    found.emplace_back(key, row.json);
        }
        if (const auto* order = asked.if_contains("order"); order != nullptr)
            sort(found, order->as_array());
        const auto* after = asked.if_contains("after");
        const auto* limit = asked.if_contains("limit");
        const auto first = std::min(
            found.size(), after == nullptr ? 0uz : std::stoul(std::string{after->as_string()}));
        const auto last = std::min(
            found.size(), first + (limit == nullptr ? 100uz : limit->to_number<std::size_t>()));
        for (auto i = first; i < last; ++i)
            if (each(user, view(found[i].first), view(found[i].second)) != 0) return FXC_OK;
        if (next_out != nullptr)
            *next_out = buffer(last < found.size() ? std::to_string(last) : std::string{});
        return FXC_OK;
    }
    static void sort(std::vector<std::pair<std::string, std::string>>& rows,
                     const json::array& order) {
        std::stable_sort(rows.begin(), rows.end(), [&](const auto& a, const auto& b) {
            const auto x = json::parse(a.second).as_object(), y = json::parse(b.second).as_object();
            for (const auto& each : order) {
                std::string_view name{each.as_string()};
                const bool descending = name.starts_with('-');
                if (descending) name.remove_prefix(1);
                if (const int by = compare(x.at(name), y.at(name)); by != 0)
                    return descending ? by > 0 : by < 0;
            }
            return false;
        });
    }
};

fake_host::fake_host()
    : log_table_{sizeof(fxc_log), FXC_DEBUG, &services::write},
      metrics_table_{sizeof(fxc_metrics), 0, &services::define, &services::record},
      views_table_{sizeof(fxc_views), 0, &services::get, &services::put, &services::remove,
                   &services::scan},
      host_{sizeof(fxc_host),
            FXC_ABI_MINOR,
            this,
            &services::call_info,
            &services::call_cancelled,
            &services::call_emit,
            &services::call_succeed,
            &services::call_fail,
            &services::service} {}

fake_host::running* fake_host::find(fxc_call handle) {
    const auto at = calls_.find(handle);
    if (at != calls_.end() && !at->second.done) return &at->second;
    ++stale_uses;
    return nullptr;
}

fxc_call fake_host::begin(about what) {
    const std::lock_guard hold{mutex_};
    auto& call = calls_[++last_];
    call.what = std::move(what);
    call.info.struct_size = sizeof call.info;
    call.info.attempt = 1;
    call.info.tenant = view(call.what.tenant);
    call.info.principal = view("somebody");
    call.info.target = view(call.what.target);
    return last_;
}

outcome fake_host::end(fxc_call handle) {
    std::unique_lock hold{mutex_};
    auto& call = calls_.at(handle);
    if (!ended_.wait_for(hold, std::chrono::seconds{10}, [&] { return call.done; }))
        throw std::runtime_error{"the call was not completed within 10 s"};
    auto result = std::move(call.result);
    calls_.erase(handle);
    return result;
}

outcome fake_host::run(about what, const std::function<void(fxc_call)>& body) {
    const auto handle = begin(std::move(what));
    body(handle);
    return end(handle);
}

void fake_host::cancel(fxc_call handle) {
    const std::lock_guard hold{mutex_};
    calls_.at(handle).cancelled = true;
}

}  // namespace flexcore::test

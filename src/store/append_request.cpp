#include "store/append_request_impl.hpp"

#include "base/names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace flexcore::store {
namespace {

// What an entry of the queue costs besides its texts, roughly.
constexpr std::size_t request_overhead_bytes = 256;
constexpr std::size_t event_overhead_bytes = 64;

template <class T>
bool strictly_ascending(const std::vector<T>& values) {
    return std::adjacent_find(values.begin(), values.end(), std::greater_equal<>{}) == values.end();
}

/// Two alike, with no assumption about the order.
template <class T>
bool repeats(std::vector<T> values) {
    if (values.size() < 2 || strictly_ascending(values)) return false;
    std::sort(values.begin(), values.end());
    return std::adjacent_find(values.begin(), values.end()) != values.end();
}

result<void> check_event(const new_event& event, request_size& size) {
    if (event.type.empty() || event.type.size() > name_bytes_max) {
        return fail(store_errc::invalid_request, "an event type has 1 to 255 bytes");
    }
    if (event.data.empty()) return fail(store_errc::invalid_request, "an event has data");
    std::size_t bytes =
        event_overhead_bytes + event.type.size() + event.data.size() + event.metadata.size();
    for (const auto tag : event.tags) {
        if (tag.empty() || tag.size() > name_bytes_max) {
            return fail(store_errc::invalid_request, "a tag has 1 to 255 bytes");
        }
        bytes += tag.size() + sizeof(std::string_view);
    }
    if (event.tags.size() > 1 &&
        repeats(std::vector<std::string_view>(event.tags.begin(), event.tags.end()))) {
        return fail(store_errc::invalid_request, "a tag stands twice at one event");
    }
    ++size.events;
    size.bytes += bytes;
    return {};
}

result<void> check_keys(const append_request& request, request_size& size) {
    const auto& keys = request.keys;
    if (keys.size() > idempotency_keys_max) {
        return fail(store_errc::invalid_request, "an append has at most two idempotency keys");
    }
    for (const auto& entry : keys) {
        if (entry.key.empty() || entry.key.size() > idempotency_key_bytes_max) {
            return fail(store_errc::invalid_request, "an idempotency key has 1 to 1024 bytes");
        }
        if (!entry.answer) {
            return fail(store_errc::invalid_request, "an idempotency key has an answer");
        }
        size.bytes += entry.key.size() + entry.fingerprint.size();
    }
    if (keys.size() == 2 && keys[0].key == keys[1].key) {
        return fail(store_errc::invalid_request, "an idempotency key stands twice");
    }
    return {};
}

result<void> check_change(const append_request& request) {
    const auto& change = *request.change;
    if (!request.appends.empty() || request.condition || !request.keys.empty()) {
        return fail(store_errc::invalid_request, "the change of a stream stands alone");
    }
    if (change.stream.empty() || change.stream.size() > stream_name_bytes_max) {
        return fail(store_errc::invalid_request, "a stream name has 1 to 1024 bytes");
    }
    const auto& settings = change.settings;
    if (settings.max_age_s && (*settings.max_age_s == 0 || *settings.max_age_s > max_age_s_max)) {
        return fail(store_errc::invalid_request, "max_age_s must be 1 to 9000000000");
    }
    constexpr std::uint64_t stored_max = INT64_MAX;
    if (settings.max_count && (*settings.max_count == 0 || *settings.max_count > stored_max)) {
        return fail(store_errc::invalid_request, "max_count must be at least 1");
    }
    if (settings.truncate_before &&
        (*settings.truncate_before == 0 || *settings.truncate_before > stored_max)) {
        return fail(store_errc::invalid_request, "truncate_before must be at least 1");
    }
    return {};
}

}  // namespace

result<request_size> check_request(const append_request& request) {
    if (request.change) {
        if (auto ok = check_change(request); !ok) return fail(ok.error());
    } else if (request.appends.empty() && request.keys.empty() && !request.condition) {
        return fail(store_errc::invalid_request,
                    "an append has a stream, a condition or an idempotency key");
    }
    if (request.tenant.empty() || request.tenant.size() > name_bytes_max) {
        return fail(store_errc::invalid_request, "a tenant has 1 to 255 bytes");
    }
    request_size size{.events = 0, .bytes = request_overhead_bytes};
    std::vector<std::string_view> streams;
    std::vector<uuid> ids;
    streams.reserve(request.appends.size());
    for (const auto& append : request.appends) {
        if (append.stream.empty() || append.stream.size() > stream_name_bytes_max) {
            return fail(store_errc::invalid_request, "a stream name has 1 to 1024 bytes");
        }
        streams.push_back(append.stream);
        size.bytes += append.stream.size();
        for (const auto& event : append.events) {
            if (auto ok = check_event(event, size); !ok) return fail(ok.error());
            if (!event.id.is_nil()) ids.push_back(event.id);
        }
    }
    if (repeats(std::move(streams))) {
        return fail(store_errc::invalid_request, "a stream stands twice in one append");
    }
    if (repeats(std::move(ids))) {
        return fail(store_errc::invalid_request, "an event id stands twice in one append");
    }
    if (auto ok = check_keys(request, size); !ok) return fail(ok.error());
    return size;
}

}  // namespace flexcore::store

#include "unit/store/power_loss_shown.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace power_loss_test {
namespace {

constexpr std::size_t page = 1000;

bool same(const log_model::stored& wanted, const recorded_event& is) {
    return is.pos == wanted.pos && is.ver == wanted.ver && is.id == wanted.what.id &&
           is.tenant == wanted.tenant && is.stream == wanted.stream &&
           is.type == wanted.what.type && is.data == wanted.what.data &&
           std::equal(is.tags.begin(), is.tags.end(), wanted.what.tags.begin(),
                      wanted.what.tags.end());
}

std::optional<std::string> log_difference(const log_model& model, const shown& is) {
    auto wanted = model.log().begin();
    const auto next_served = [&] {
        wanted = std::find_if(wanted, model.log().end(),
                              [&](const auto& one) { return model.is_served(one); });
        return wanted != model.log().end();
    };
    unix_us last_time = 0;
    for (const auto& batch : is.pages) {
        for (const auto& event : batch->events) {
            if (event.recorded_at < last_time) return "the time goes back";
            last_time = event.recorded_at;
            if (!next_served() || event.pos < wanted->pos)
                return fmt::format("event {} is served and should not be", event.pos);
            if (event.pos > wanted->pos) return fmt::format("event {} is lost", wanted->pos);
            if (!same(*wanted++, event)) return fmt::format("event {} is another", event.pos);
        }
    }
    if (next_served()) return fmt::format("event {} is lost", wanted->pos);
    return std::nullopt;
}

}  // namespace

result<shown> look_at(event_log& log) {
    shown made{.head = log.head()};
    for (position after = 0;;) {
        auto read = log.read_log({}, after, page, direction::forward);
        if (!read) return fail(std::move(read.error()));
        made.pages.push_back(std::move(read->batch));
        if (read->at_end) break;
        after = read->scanned_to;
    }
    auto streams = log.streams(tenant, "", "", "", page);
    if (!streams) return fail(std::move(streams.error()));
    made.streams = std::move(streams->items);
    return made;
}

std::optional<std::string> difference(const log_model& model, const shown& is) {
    if (is.head != model.head())
        return fmt::format("the log ends at {}, not at {}", is.head, model.head());
    if (auto differs = log_difference(model, is)) return differs;
    const auto wanted = model.streams(tenant);
    if (!std::equal(wanted.begin(), wanted.end(), is.streams.begin(), is.streams.end(),
                    [](const auto& name, const auto& one) { return name == one.stream; }))
        return "other streams are there";
    for (const auto& one : is.streams) {
        if (one.ver != model.current(tenant, one.stream))
            return fmt::format("{} is at version {}", one.stream, one.ver);
        if (one.settings != model.settings(tenant, one.stream))
            return fmt::format("{} has other settings", one.stream);
    }
    return std::nullopt;
}

result<std::optional<std::string>> stream_difference(const log_model& model, event_log& log,
                                                     const std::string& stream) {
    const auto wanted = model.state(tenant, stream);
    const auto read = log.read_stream(tenant, stream, 0, page, direction::forward);
    if (!read) {
        if (read.error().code == store_errc::unavailable) return fail(read.error());
        if (read.error().code == wanted) return std::nullopt;
        return fmt::format("{} reads as: {}", stream, read.error().client);
    }
    if (wanted) return fmt::format("{} is read and is not there", stream);
    version next = model.first_served(tenant, stream);
    for (const auto& event : read->batch->events) {
        if (event.ver != next++) return fmt::format("{} shows version {}", stream, event.ver);
    }
    if (next != model.current(tenant, stream) + 1)
        return fmt::format("{} ends before version {}", stream, next);
    return std::nullopt;
}

result<std::optional<std::string>> event_difference(const log_model& model, event_log& log,
                                                    const log_model::stored& one) {
    const auto read = log.read_event(one.tenant, one.what.id);
    if (!read && read.error().code == store_errc::unavailable) return fail(read.error());
    if (read.has_value() != model.is_served(one))
        return fmt::format("event {} is {}found by its id", one.pos, read ? "" : "not ");
    if (read && !same(one, (*read)->events.front()))
        return fmt::format("event {} is another by its id", one.pos);
    return std::nullopt;
}

std::string row_key(std::string_view tenant, std::string_view stream) {
    return fmt::format("{}/{}", tenant, stream);
}

std::string row_text(version ver, const uuid& id) {
    return fmt::format(R"({{"n":{},"id":"{}"}})", ver, id.to_string());
}

std::optional<std::string> row_difference(const log_model& model, position upto,
                                          const std::map<std::string, std::string>& rows) {
    std::map<std::string_view, const log_model::stored*> last;  // by stream; of one tenant
    for (const auto& one : model.log()) {
        if (one.pos <= upto) last[one.stream] = &one;
    }
    const auto is_of = [](const std::string& row, const log_model::stored& one) {
        return row == row_text(one.ver, one.what.id);
    };
    std::size_t known = 0;
    for (const auto& [stream, of] : last) {
        const auto row = rows.find(row_key(tenant, stream));
        const bool there = row != rows.end();
        if (there) ++known;
        if (there && is_of(row->second, *of)) continue;
        // Served now, it was served when the row was made. Else the row may be older than that.
        const bool excused =
            !model.is_served(*of) &&
            (!there || std::any_of(model.log().begin(), model.log().end(), [&](const auto& one) {
                return one.pos <= upto && one.stream == stream && is_of(row->second, one);
            }));
        if (!excused)
            return fmt::format("the row of {} is not what the log says at its checkpoint", stream);
    }
    if (known != rows.size()) return "there are rows of nothing";
    return std::nullopt;
}

}  // namespace power_loss_test

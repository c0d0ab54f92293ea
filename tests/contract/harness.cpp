#include "contract/harness.hpp"

#include <unistd.h>

#include <atomic>

namespace contract {

const std::string tenant = "default";

void fail_with(const error& why) { FAIL(why.client << " | " << why.log); }

scratch_folder::scratch_folder() {
    static std::atomic<int> count{0};
    path_ = std::filesystem::temp_directory_path() /
            ("flexcore-store-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
}

scratch_folder::~scratch_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

store_under_test::store_under_test(const backend& which, store_settings settings)
    : which_{Catch::MessageBuilder{"INFO", CATCH_INTERNAL_LINEINFO, Catch::ResultWas::Info}
             << "backend " << which.url},
      settings_{std::move(settings)} {
    settings_.url = which.url;
    if (which.url == "postgresql:") {
        schema_.emplace();
        settings_.url = schema_->url();
        settings_.schema = schema_->name();
    }
    settings_.data = folder_.path() / "data";
    reopen();
}

store_under_test::~store_under_test() {
    close();
    if (!schema_) return;
    // A transaction that is still open after the store was closed would hold it.
    if (const auto held = schema_->drop(); !held.empty()) FAIL_CHECK(held);
}

void store_under_test::close() {
    if (!opened_) return;
    opened_->log->stop();
    opened_->views->stop();
    opened_->snapshots->stop();
    opened_.reset();
}

void store_under_test::reopen() {
    close();
    opened_ = value(open_store(settings_, metrics_, health_));
}

namespace {

/// A request's texts and what points at them.
struct owned_request {
    explicit owned_request(const request& from) : texts{from} {
        for (const auto& append : texts.appends) {
            auto& built = events.emplace_back();
            for (const auto& event : append.events) {
                auto& views = tags.emplace_back(event.tags.begin(), event.tags.end());
                built.push_back({.id = event.id,
                                 .type = event.type,
                                 .data = event.data,
                                 .metadata = event.metadata,
                                 .tags = views,
                                 .schema_version = event.schema_version});
            }
        }
    }
    const request texts;
    std::deque<std::vector<std::string_view>> tags;
    std::vector<std::vector<new_event>> events;
};

}  // namespace

append_request build(const request& from) {
    auto owned = std::make_shared<owned_request>(from);
    append_request made;
    made.tenant = owned->texts.tenant;
    made.condition = from.condition;
    made.origin = from.origin;
    for (std::size_t i = 0; i < owned->texts.appends.size(); ++i) {
        const auto& append = owned->texts.appends[i];
        made.appends.push_back({append.stream, append.expected, owned->events[i]});
    }
    for (const auto& key : owned->texts.keys) {
        made.keys.push_back(
            {.key = key.name,
             .fingerprint = key.fingerprint,
             .answer = [answer = key.answer](const append_outcome&) { return answer; },
             .keep_us = key.keep_us});
    }
    made.backing = std::move(owned);
    return made;
}

std::vector<event> events(std::size_t count) { return std::vector<event>(count); }

std::vector<event> events_with_ids(std::size_t count) {
    std::vector<event> made(count);
    for (auto& one : made) one.id = uuid_v7();
    return made;
}

result<append_outcome> append(event_log& log, const request& from) {
    std::promise<result<append_outcome>> promise;
    auto answer = promise.get_future();
    log.append(build(from),
               [&](result<append_outcome> outcome) { promise.set_value(std::move(outcome)); });
    return answer.get();
}

result<append_outcome> append(event_log& log, to_stream one) {
    return append(log, request{.appends = {std::move(one)}});
}

append_outcome appended(event_log& log, const request& from) { return value(append(log, from)); }

append_outcome appended(event_log& log, to_stream one) {
    return value(append(log, std::move(one)));
}

std::vector<position> positions(const event_batch& batch) {
    std::vector<position> all;
    for (const auto& event : batch.events) all.push_back(event.pos);
    return all;
}

std::vector<version> versions(const event_batch& batch) {
    std::vector<version> all;
    for (const auto& event : batch.events) all.push_back(event.ver);
    return all;
}

std::vector<position> all_positions(event_log& log, const log_filter& filter, direction way,
                                    std::size_t limit) {
    std::vector<position> all;
    position from = 0;
    for (;;) {
        const auto page = value(log.read_log(filter, from, limit, way));
        REQUIRE(page.batch->events.size() <= limit);
        for (const auto& event : page.batch->events) all.push_back(event.pos);
        if (page.at_end) return all;
        REQUIRE(page.scanned_to != from);
        from = page.scanned_to;
    }
}

version current_version(event_log& log, const std::string& stream, const std::string& in) {
    return value(log.stream(in, stream)).ver;
}

}  // namespace contract

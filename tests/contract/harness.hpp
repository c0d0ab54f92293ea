// What the contract tests share: a store in a folder of its own, requests that own their texts,
// appends that wait for their answer.
#pragma once

#include "contract/backends.hpp"
#include "store/open.hpp"
#include "support/postgres.hpp"

#include <catch2/catch.hpp>

#include <deque>
#include <filesystem>
#include <future>
#include <optional>
#include <string>
#include <vector>

namespace contract {

using namespace flexcore;         // NOLINT: a test's vocabulary
using namespace flexcore::store;  // NOLINT
using rule = expected_version::rule;

inline constexpr expected_version any{};
inline constexpr expected_version none{rule::none, 0};
inline constexpr expected_version exists{rule::exists, 0};
inline constexpr expected_version at(version v) { return {rule::exact, v}; }

/// A folder that goes with the test.
class scratch_folder {
public:
    scratch_folder();
    ~scratch_folder();
    scratch_folder(const scratch_folder&) = delete;
    scratch_folder& operator=(const scratch_folder&) = delete;
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// An open store of one backend.
class store_under_test {
public:
    explicit store_under_test(const backend&, store_settings = {});
    ~store_under_test();
    store_under_test(const store_under_test&) = delete;
    store_under_test& operator=(const store_under_test&) = delete;

    [[nodiscard]] event_log& log() { return *opened_->log; }
    [[nodiscard]] view_store& views() { return *opened_->views; }
    [[nodiscard]] snapshot_store& snapshots() { return *opened_->snapshots; }
    [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
    [[nodiscard]] telemetry::metrics& metrics() { return metrics_; }
    [[nodiscard]] telemetry::health_registry& health() { return health_; }
    /// In PostgreSQL only.
    [[nodiscard]] const test::postgres_schema& schema() const { return schema_.value(); }
    void close();
    void reopen();

private:
    Catch::ScopedMessage which_;
    scratch_folder folder_;
    std::optional<test::postgres_schema> schema_;
    store_settings settings_;
    telemetry::metrics metrics_;
    telemetry::health_registry health_;
    std::optional<opened_store> opened_;
};

// Requests.

struct event {
    std::string type = "test.happened";
    std::vector<std::string> tags = {};
    std::string data = "{}";
    uuid id = {};
    std::string metadata = {};
    std::uint32_t schema_version = 1;
};
struct to_stream {
    std::string stream;
    expected_version expected = {};
    std::vector<event> events = {event{}};
};
struct key {
    std::string name;
    std::string fingerprint = "f";
    std::string answer = "stored";
    unix_us keep_us = 24LL * 3600 * 1'000'000;
};
struct request {
    std::vector<to_stream> appends = {};
    std::optional<append_condition> condition = {};
    std::vector<key> keys = {};
    std::string tenant = "default";
    const void* origin = nullptr;
};

[[nodiscard]] std::vector<event> events(std::size_t count);
[[nodiscard]] std::vector<event> events_with_ids(std::size_t count);
[[nodiscard]] append_request build(const request&);
/// Appends and waits.
[[nodiscard]] result<append_outcome> append(event_log&, const request&);
[[nodiscard]] result<append_outcome> append(event_log&, to_stream);
/// The same, and must succeed.
append_outcome appended(event_log&, const request&);
append_outcome appended(event_log&, to_stream);

/// The code of a failure; an empty code for success.
template <class T>
[[nodiscard]] std::error_code code_of(const result<T>& answer) {
    return answer ? std::error_code{} : answer.error().code;
}
/// Fails the test with the error's texts.
void fail_with(const error&);
/// The value, or a failed test that says why not.
template <class T>
T value(result<T> answer) {
    if (!answer) fail_with(answer.error());
    if constexpr (!std::is_void_v<T>) return std::move(*answer);
}

// Reading.

[[nodiscard]] std::vector<position> positions(const event_batch&);
[[nodiscard]] std::vector<version> versions(const event_batch&);
/// All pages of a read of the whole log, one after the other.
[[nodiscard]] std::vector<position> all_positions(event_log&, const log_filter&,
                                                  direction = direction::forward,
                                                  std::size_t limit = 1000);
[[nodiscard]] version current_version(event_log&, const std::string& stream,
                                      const std::string& tenant = "default");

extern const std::string tenant;  ///< "default"

}  // namespace contract

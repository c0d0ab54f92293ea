// loaded_plugin: one plugin on a fake host, driven through its tables as the server does it, with a
// log in memory: commands are decided on folded events, events are projected, queries asked.
#pragma once

#include "unit/sdk/fake_host.hpp"

#include <flexcore/plugin_abi.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::test {

/// An event as the log would hold it.
struct logged_event {
    std::string type, stream, data;
    std::vector<std::string> tags;
    std::uint64_t version = 0, position = 0;
    std::int64_t time_unix_us = 0;
};

class loaded_plugin {
public:
    using entry = fxc_status (*)(const fxc_offer*, fxc_answer*);
    /// Negotiates, opens, creates, starts. Throws std::runtime_error with the plugin's text.
    explicit loaded_plugin(entry, std::string_view config = "{}");
    /// The same from a file of the build folder.
    explicit loaded_plugin(const std::filesystem::path&);
    ~loaded_plugin();  ///< drains, destroys, closes
    loaded_plugin(const loaded_plugin&) = delete;
    loaded_plugin& operator=(const loaded_plugin&) = delete;

    fake_host host;

    [[nodiscard]] const fxc_plugin_info& info() const { return *library_->info(0); }
    template <class Table>
    [[nodiscard]] const Table* find(const char* id) const {
        return static_cast<const Table*>(library_->find_interface(instance_, id));
    }
    [[nodiscard]] fxc_instance* instance() const noexcept { return instance_; }

    std::vector<logged_event> log;
    std::int64_t now_unix_us = 1'291'191'960'000'000;  ///< 2010-12-01T08:26:00Z
    /// Decides on the stream's events folded anew; what was emitted goes into `log`.
    outcome send(std::string_view category, std::string_view id, std::string_view type,
                 std::string_view data);
    /// Appends an event as if it came from elsewhere.
    void append(std::string_view stream, std::string_view type, std::string_view data);
    /// Applies the events that the projection has not seen yet, `batch` at a time.
    outcome project(std::string_view projection, std::size_t batch = 500);
    outcome ask(std::string_view query, std::string_view params);
    outcome process(std::string_view bytes);
    /// By way of lifecycle.
    outcome health();
    outcome drain();

    /// The stream's state, folded from events or, with `snapshot`, from that.
    [[nodiscard]] std::string snapshot_of(std::string_view category, std::string_view id,
                                          std::optional<std::string> snapshot = {}) const;
    /// The error text of load/evolve, empty when the stream folds.
    [[nodiscard]] std::string fold_error(std::string_view category, std::string_view id) const;

private:
    struct folded;
    void boot(entry, std::string_view config);
    [[nodiscard]] folded fold(std::string_view category, std::string_view id,
                              std::string_view snapshot, std::uint64_t from) const;

    void* file_ = nullptr;
    const fxc_library* library_ = nullptr;
    fxc_instance* instance_ = nullptr;
    std::uint64_t projected_ = 0;
    std::uint64_t position_ = 0;
};

}  // namespace flexcore::test

// recorded_views: what a query's handler reads through, and the record of what it read.
//
// Snapshot: reads on the thread of `handle`, before it returns, see one moment. A handler that
//           reads later or elsewhere gets a reader per call; such a read is refused (busy) when
//           anything read before has changed since, and the bus then runs the handler again.
// Threads:  any; calls take turns.
#pragma once

#include "bus/change_counters.hpp"
#include "bus/query_bus.hpp"

#include <mutex>
#include <thread>
#include <vector>

namespace flexcore::bus {

class recorded_views final : public query_views {
public:
    recorded_views(store::view_store&, const change_counters&, std::string tenant,
                   const std::vector<std::string>& models);

    [[nodiscard]] result<std::optional<store::row>> get(std::string_view model,
                                                        std::string_view key) override;
    [[nodiscard]] result<store::row_page> scan(std::string_view model,
                                               const store::scan_query&) override;

    /// Gives the snapshot back; on the thread that made the views, after `handle` returned.
    void release_snapshot();
    /// From the handler's completion on every read is refused.
    void close();

    /// After `close`:
    [[nodiscard]] bool moved() const noexcept { return moved_; }
    /// A read was answered with an error: what the handler made of it depends on no row.
    [[nodiscard]] bool failed() const noexcept { return failed_; }
    [[nodiscard]] std::uint64_t seen() const noexcept { return seen_; }
    [[nodiscard]] store::position pos() const noexcept { return pos_; }
    [[nodiscard]] std::vector<change_counters::slot> read() const;

private:
    /// For rows beyond this many the answer depends on their whole models instead.
    static constexpr std::size_t rows_max = 64;

    template <class Read>
    auto with_reader(std::string_view model, change_counters::slot, Read read)
        -> decltype(read(std::declval<store::view_reader&>()));
    [[nodiscard]] bool unchanged(change_counters::slot also) const noexcept;

    store::view_store& store_;
    const change_counters& changes_;
    const std::string tenant_;
    const std::vector<std::string> models_;
    const std::thread::id home_ = std::this_thread::get_id();

    std::mutex mutex_;
    bool closed_ = false;
    bool home_over_ = false;
    bool begun_ = false;
    bool moved_ = false;
    bool failed_ = false;
    std::uint64_t seen_ = 0;
    store::position pos_ = 0;
    std::unique_ptr<store::view_reader> snapshot_;
    std::vector<change_counters::slot> rows_;
    std::vector<change_counters::slot> scanned_;
};

}  // namespace flexcore::bus

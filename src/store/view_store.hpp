// view_store: read models and checkpoints, as a port. Rebuildable from the log at any time.
//
// Shape:    a projection writes rows of its read models through generations: the serving one
//           answers reads; a rebuild fills another beside it, then `serve` switches at once.
// Promises: rows and checkpoint change in one transaction; a checkpoint that is not where the
//           writer expected it fails the commit (compare-and-set), so every event counts once.
// Threads:  writing calls (marked W) belong to one thread, the projector's. Reads on any thread,
//           blocking for as long as the disk takes, never waiting for the writer.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "store/errc.hpp"
#include "store/event.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace flexcore::store {

struct model_spec {
    std::string name;                  ///< a name; unique over all projections
    std::vector<std::string> indexed;  ///< top-level fields of the row usable in scans
    friend bool operator==(const model_spec&, const model_spec&) = default;
};

using generation_id = std::uint64_t;

struct generation {
    generation_id id = 0;
    std::string projection;
    std::uint32_t version = 0;  ///< the projection's own
    std::vector<model_spec> models;
    position checkpoint = 0;
    bool serving = false;
    bool paused = false;          ///< the operator's wish, survives restarts
    std::string stopped_because;  ///< why it was stopped, empty when it was not
};

struct row {
    std::string key;
    std::string json;  ///< a JSON object
    position pos = 0;  ///< of the event that last changed it
};

using scalar = std::variant<std::nullptr_t, bool, std::int64_t, double, std::string>;
enum class compare : std::uint8_t { eq, lt, le, gt, ge };
struct scan_query {
    struct condition {
        std::string field;
        compare op = compare::eq;
        scalar value;
    };
    struct ordering {
        std::string field;
        bool descending = false;
    };
    std::vector<condition> where;
    std::vector<ordering> order;  ///< then by key, ascending, always
    std::size_t limit = 100;      ///< 1 to 1000
    std::string after;            ///< a cursor of an earlier page with the same query
};
struct row_page {
    std::vector<row> rows;
    std::string next;  ///< cursor, empty when there is no more
};

/// What a reader sees: one moment of the serving generations. Not shared between threads at once.
class view_reader {
public:
    virtual ~view_reader() = default;
    [[nodiscard]] virtual result<std::optional<row>> get(std::string_view tenant,
                                                         std::string_view model,
                                                         std::string_view key) = 0;
    [[nodiscard]] virtual result<row_page> scan(std::string_view tenant, std::string_view model,
                                                const scan_query&) = 0;
    /// The position of the last event that changed any row of the model (0: none yet).
    [[nodiscard]] virtual result<position> changed_at(std::string_view model) = 0;
};

/// One transaction of one generation. Reads see its own writes. Not committed: rolled back.
class view_transaction : public view_reader {
public:
    /// `pos` is the position of the event that causes the change.
    [[nodiscard]] virtual result<void> put(std::string_view tenant, std::string_view model,
                                           std::string_view key, std::string_view json,
                                           position pos) = 0;
    /// Removing what is not there is fine.
    [[nodiscard]] virtual result<void> remove(std::string_view tenant, std::string_view model,
                                              std::string_view key, position pos) = 0;
    [[nodiscard]] virtual result<void> commit(position new_checkpoint) = 0;
};

class view_store {
public:
    virtual ~view_store() = default;

    [[nodiscard]] virtual result<std::vector<generation>> generations() = 0;  // W
    /// An empty generation at checkpoint 0. The first one of a projection serves at once.
    [[nodiscard]] virtual result<generation> create(std::string_view projection,
                                                    std::uint32_t version,
                                                    const std::vector<model_spec>&) = 0;  // W
    /// Makes it the serving one and drops the projection's others, in one transaction.
    [[nodiscard]] virtual result<void> serve(generation_id) = 0;                              // W
    [[nodiscard]] virtual result<void> drop(generation_id) = 0;                               // W
    [[nodiscard]] virtual result<void> set_paused(std::string_view projection, bool) = 0;     // W
    [[nodiscard]] virtual result<void> set_stopped(generation_id, std::string_view why) = 0;  // W
    /// Fails with checkpoint_conflict when the generation does not stand at `expected`, with
    /// unknown_generation when it was dropped; so does the commit.
    [[nodiscard]] virtual result<std::unique_ptr<view_transaction>> begin(
        generation_id, position expected) = 0;  // W

    /// A reader for the calling thread; give it back (destroy it) on the same thread, soon.
    [[nodiscard]] virtual result<std::unique_ptr<view_reader>> read() = 0;
    /// Grows when generations come, go or serve, whoever does it; a second late where others do. 0:
    /// not known yet, or there are no others.
    [[nodiscard]] virtual std::uint64_t generations_changed() const noexcept { return 0; }
    /// How long it has not been possible to learn what other servers have changed; zero as long as
    /// that is known as usual, or where there are no others. Quick, on any thread.
    [[nodiscard]] virtual monotonic::duration unseen_for() const noexcept { return {}; }
    virtual void stop() = 0;
};

}  // namespace flexcore::store

// standing: how far this data folder knows the log to be, and of which database cluster, so that
// an older state of it is never served: an old primary that comes back alone, a backup, another
// cluster behind the same name.
//
// Kept:    in `postgres.json` of the data folder: the cluster's system identifier, the highest
//          timeline seen, the highest position acknowledged. Written aside and renamed, not synced:
//          what a power loss takes back makes the check weaker, not wrong.
// Threads: any.
// Lifetime: holds the data folder's lock.
#pragma once

#include "store/data_folder_impl.hpp"
#include "store/event.hpp"
#include "store/postgres/connection.hpp"

#include <memory>
#include <mutex>
#include <string>

namespace flexcore::store::postgres {

class standing {
public:
    /// Reads what is known. invalid_argument when the file is there and cannot be read.
    [[nodiscard]] static result<std::shared_ptr<standing>> open(std::shared_ptr<data_folder>);

    /// Whether the server behind this session may be served from; a new one is noted. `unavailable`
    /// with what is wrong and what to do.
    [[nodiscard]] result<void> check(connection&);
    /// The log ends at `pos` there: not below what was acknowledged?
    [[nodiscard]] result<void> check_end(position pos) const;

    void acknowledged(position);
    /// Writes down what is new. A failure is logged: the disk of the data folder is not the log's.
    void save();

private:
    explicit standing(std::shared_ptr<data_folder>);

    const std::shared_ptr<data_folder> folder_;
    const std::string file_;
    mutable std::mutex mutex_;
    std::string system_;
    std::uint32_t timeline_ = 0;
    position position_ = 0;
    bool unsaved_ = false;
    position saved_position_ = 0;
};

}  // namespace flexcore::store::postgres

// standing: how far this data folder knows the log to be, and of which database cluster, so that
// an older state of it is never served: an old primary that comes back alone, a backup, another
// cluster behind the same name.
//
// Kept:    in `postgres.json` of the data folder: the cluster's system identifier, the highest
//          timeline served, the highest position acknowledged and the number of the log's changes
//          by then, since deletions and settings have no position. Another cluster or timeline
//          is written aside, synced and renamed. What is acknowledged is written over what was
//          before, ahead of the answer, so that no end of this process loses it; it is not synced:
//          what a power loss takes back makes the check weaker, not wrong. A file that cannot be
//          written is logged: the disk of the data folder is not the log's.
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

    ~standing();
    standing(const standing&) = delete;
    standing& operator=(const standing&) = delete;

    /// Whether the server behind this session may be served from: of the cluster, on no earlier
    /// timeline, and with a log that goes as far as what was acknowledged. Only then it is noted.
    /// Its timeline; or `unavailable` with what is wrong and what to do.
    [[nodiscard]] result<std::uint32_t> check(connection&);

    /// `changes`: log_head's, after what is acknowledged.
    void acknowledged(position, std::uint64_t changes);

private:
    struct server {
        std::string system;
        std::uint32_t timeline = 0;
        std::string since = {};  ///< when it was started; empty: none was asked yet
        bool operator==(const server&) const = default;
    };

    explicit standing(std::shared_ptr<data_folder>);
    struct log_end {
        position pos = 0;
        std::uint64_t changes = 0;
    };
    [[nodiscard]] static result<log_end> end_of_log(connection&);
    [[nodiscard]] result<void> check(connection&, const server&);
    [[nodiscard]] std::string text() const;
    /// Under the lock.
    void write_anew();
    void write_over();
    void noted(bool written, const std::string& file);

    const std::shared_ptr<data_folder> folder_;
    const std::string file_;
    std::mutex mutex_;
    server now_;
    log_end acknowledged_;
    int open_ = -1;  ///< descriptor of the file, when it is as write_anew makes it
    deadline write_at_{};
    bool failed_ = false;
};

}  // namespace flexcore::store::postgres

// The data folder and its lock: one running server per folder.
//
// Lifetime: the lock is held as long as the object; log and read models share it.
// Errors:   locked (the text names the process), unavailable (the folder cannot be made or used).
#pragma once

#include "base/result.hpp"

#include <filesystem>
#include <memory>

namespace flexcore::store {

class data_folder {
public:
    /// Makes the folder when it is absent and locks DIR/lock.
    [[nodiscard]] static result<std::shared_ptr<data_folder>> open(const std::filesystem::path&);
    /// Whether a running server holds it. Takes nothing, changes nothing.
    [[nodiscard]] static bool in_use(const std::filesystem::path&);
    ~data_folder();
    data_folder(const data_folder&) = delete;
    data_folder& operator=(const data_folder&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
    /// Makes the names of files just made durable.
    [[nodiscard]] result<void> sync() const;

private:
    data_folder(std::filesystem::path path, int lock) : path_{std::move(path)}, lock_{lock} {}

    const std::filesystem::path path_;
    const int lock_;  ///< file descriptor
};

}  // namespace flexcore::store

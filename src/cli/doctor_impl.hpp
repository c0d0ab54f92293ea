// Private to src/cli: what `flexcore doctor` looks at. Each check says what it found and, unless
// all is well, what to change.
#pragma once

#include "app/settings.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace flexcore::cli {

enum class verdict : std::uint8_t { ok, warn, bad };

struct finding {
    std::string check;  ///< "fsync latency"
    verdict is = verdict::ok;
    std::string found;   ///< "0.8 ms"
    std::string advice;  ///< empty when it is ok
};

/// Descriptors, memory.
void check_limits(const app::settings&, std::vector<finding>&);
/// The data folder; with SQLite file system, free space, speed and fsync latency under it, too.
/// Writes a file of its own there, and removes it; at most some seconds.
void check_disk(const app::settings&, std::vector<finding>&);
/// The PostgreSQL of the settings, when they name one; at most some seconds.
void check_database(const app::settings&, std::vector<finding>&);
/// Synchronized, and not jumping.
void check_clock(std::vector<finding>&);
/// This program, SQLite, the kernel.
void check_versions(std::vector<finding>&);
/// Whether the address can be listened on, or a FlexCore answers there.
void check_port(const app::settings&, std::vector<finding>&);

/// The version of the FlexCore that answers there, if one does within a second.
[[nodiscard]] std::optional<std::string> server_at(const std::string& host, std::uint16_t port);

/// The folder, or the nearest one above it that exists.
[[nodiscard]] std::filesystem::path existing_folder(const std::filesystem::path&);

}  // namespace flexcore::cli

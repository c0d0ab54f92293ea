// Files and folders that the settings name, looked at before anything starts.
#include "app/settings_impl.hpp"

#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>
#include <system_error>

namespace flexcore::app {
namespace {

namespace fs = std::filesystem;

bool is_below(const fs::path& file, const std::vector<fs::path>& folders) {
    return std::ranges::any_of(folders, [&](const fs::path& one) {
        std::error_code ec;
        const fs::path folder = fs::canonical(one, ec);
        return !ec && std::ranges::mismatch(folder, file).in1 == folder.end();
    });
}

/// Why it cannot be a plugin of this server; empty when nothing speaks against it. The plugin host
/// looks again, and closer: this is what a person can be told without loading anything.
/// Where it lies counts only when the folders are those that were meant.
std::string against(const fs::path& given, const std::vector<fs::path>& folders,
                    bool folders_known) {
    std::error_code ec;
    const fs::path file = fs::canonical(given, ec);
    if (ec) return ec == std::errc::no_such_file_or_directory ? "no such file" : ec.message();
    if (!fs::is_regular_file(file, ec)) return "not a regular file";
    if (folders_known && !is_below(file, folders))
        return fmt::format(
            "the file does not lie below one of the plugin folders; add its folder with "
            "--plugin-dir {} or to plugins.dirs",
            file.parent_path().string());
    std::array<char, 4> magic{};
    std::ifstream in{file, std::ios::binary};
    if (!in) return "the file cannot be opened";
    in.read(magic.data(), magic.size());
    if (std::string_view{magic.data(), magic.size()} !=
        "\x7f"
        "ELF")
        return "not a shared library (ELF)";
    return {};
}

/// The path, or the nearest above it that exists: the data folder is made when it is absent.
fs::path first_existing(const fs::path& wanted) {
    std::error_code ec;
    fs::path at = fs::absolute(wanted, ec).lexically_normal();
    while (at != at.root_path() && !fs::exists(at, ec)) at = at.parent_path();
    return at;
}

}  // namespace

std::vector<fs::path> plugin_folders(const settings& s) {
    if (!s.plugins.dirs.empty()) return s.plugins.dirs;
    std::error_code ec;
    return {fs::read_symlink("/proc/self/exe", ec).parent_path() / "plugins"};
}

std::vector<settings_problem> check_named_files(const loaded_settings& loaded) {
    std::vector<settings_problem> out;
    check_named(loaded, [](const std::string&) { return true; }, out);
    return out;
}

void check_named(const loaded_settings& loaded, const is_clear& clear,
                 std::vector<settings_problem>& problems) {
    const settings& s = loaded.values;
    std::error_code ec;
    const fs::path in_the_way = first_existing(s.store.data);
    if (clear("store.data") && clear("store.url") && s.store.url == "sqlite:" &&
        !fs::is_directory(in_the_way, ec))
        problems.push_back(
            {loaded.place_of("store.data"),
             fmt::format("store.data must be a folder, and {} is a file", in_the_way.string())});
    bool folders_known = clear("plugins.dirs");
    for (const fs::path& folder : s.plugins.dirs) {
        if (fs::is_directory(folder, ec)) continue;
        folders_known = false;
        problems.push_back({loaded.place_of("plugins.dirs"),
                            fmt::format("plugins.dirs names {}, which is {}", folder.string(),
                                        fs::exists(folder, ec) ? "no folder" : "not there")});
    }
    const auto folders = plugin_folders(s);
    for (const plugin_entry& entry : s.plugin_load)
        if (const std::string why = against(entry.file, folders, folders_known); !why.empty())
            problems.push_back({entry.where.empty() ? loaded.place_of("plugins.load") : entry.where,
                                fmt::format("the plugin {} cannot be loaded (plugins.load): {}",
                                            entry.file.string(), why)});
}

}  // namespace flexcore::app

// library: one loaded generation of a plugin file, from the path to its negotiated tables.
//
// Way:      real path below the plugin folders → copy into a sealed memfd → ELF checks on the copy
// →
//           dlopen of the copy → the one exported entry → negotiation → checks of what it says.
//           So the bytes that were checked are the bytes that run, and two generations of one file
//           live side by side.
// Lifetime: the descriptor stays open as long as the library may be mapped: dlopen compares names,
//           and a reused number would bring back the old library. `unmap` is the only way out; a
//           library that is destroyed without it stays mapped, on purpose.
// Threads:  load and unmap on one thread at a time (the host's turn); the rest on any thread.
// Errors:   plugin_errc::outside_dirs, bad_file, bad_abi, unsupported.
#pragma once

#include "base/result.hpp"
#include "flexcore/plugin_abi.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace flexcore::plugin {

/// fxc_plugin_info, checked and copied.
struct library_info {
    std::string id;
    std::string version;
    std::vector<std::string> interfaces;  ///< as listed, unknown ones too
    std::vector<std::string> capabilities;
    std::string config_schema;  ///< empty when it names none
    std::string catalogue;      ///< empty when it names none
    std::uint32_t flags = 0;
    std::uint32_t in_flight_max = 0;  ///< 0: it names none

    [[nodiscard]] bool offers(std::string_view interface_id) const;
};

class library {
public:
    [[nodiscard]] static result<library> load(const std::filesystem::path&,
                                              const std::vector<std::filesystem::path>& dirs);
    library(library&&) noexcept;
    library& operator=(library&&) = delete;
    ~library() = default;

    /// File name without its extension; a name.
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
    [[nodiscard]] const library_info& info() const noexcept { return info_; }
    [[nodiscard]] const fxc_library& table() const noexcept { return *table_; }

    /// dlclose. False: it is mapped still (other code holds it, or it cannot leave), the
    /// descriptor stays open.
    [[nodiscard]] bool unmap();

private:
    library() = default;
    [[nodiscard]] result<void> open_file(const std::filesystem::path&,
                                         const std::vector<std::filesystem::path>& dirs);
    [[nodiscard]] result<void> negotiate();

    std::string name_;
    std::filesystem::path path_;
    int memory_ = -1;
    void* handle_ = nullptr;
    const fxc_library* table_ = nullptr;
    library_info info_;
};

}  // namespace flexcore::plugin

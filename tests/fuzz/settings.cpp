// The settings file, from its bytes to settings; what is accepted reads the same when shown and
// read again.
#include "app/settings.hpp"

#include "fuzz/target.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <string>

namespace {

using namespace flexcore;
using fuzz::require;

/// A file that lies in memory.
class memory_file {
public:
    explicit memory_file(std::string_view text) : number_{::memfd_create("settings", 0)} {
        require(number_ >= 0, "a file in memory");
        require(::write(number_, text.data(), text.size()) == static_cast<ssize_t>(text.size()),
                "all of it written");
    }
    memory_file(const memory_file&) = delete;
    memory_file& operator=(const memory_file&) = delete;
    ~memory_file() { ::close(number_); }
    [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(number_); }

private:
    int number_;
};

std::expected<app::loaded_settings, std::vector<app::settings_problem>> load(
    std::string_view text) {
    const memory_file file{text};
    app::setting_inputs inputs;
    inputs.file = file.path();
    return app::load_settings(inputs);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto loaded = load(fuzz::text_of(data, size));
    if (!loaded) {
        require(!loaded.error().empty(), "a refusal says why");
        for (const auto& problem : loaded.error())
            require(!problem.where.empty() && !problem.text.empty(), "with its place");
        return 0;
    }
    const std::string shown = app::settings_as_toml(*loaded);
    const auto again = load(shown);
    require(again.has_value(), "what is shown can be read");
    require(again->values.http.port == loaded->values.http.port, "the same port");
    require(again->values.http.host == loaded->values.http.host, "the same host");
    return 0;
}

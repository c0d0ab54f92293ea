#include "plugin/loading/library.hpp"

#include "base/names.hpp"
#include "plugin/calls/boundary.hpp"
#include "plugin/loading/elf_check.hpp"
#include "plugin/loading/tables.hpp"
#include "plugin/plugin_host.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <system_error>
#include <utility>

namespace flexcore::plugin {
namespace {

namespace fs = std::filesystem;

constexpr off_t file_bytes_max = off_t{512} << 20;

class descriptor {
public:
    explicit descriptor(int number) : number_{number} {}
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;
    ~descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    [[nodiscard]] int get() const noexcept { return number_; }
    [[nodiscard]] int release() noexcept { return std::exchange(number_, -1); }

private:
    int number_;
};

std::string system_text() { return std::generic_category().message(errno); }

bool below(const fs::path& file, const std::vector<fs::path>& dirs) {
    return std::ranges::any_of(dirs, [&](const fs::path& dir) {
        std::error_code ignored;
        const fs::path real = fs::canonical(dir, ignored);
        if (ignored) return false;
        const auto [in_dir, in_file] = std::ranges::mismatch(real, file);
        return in_dir == real.end() && in_file != file.end();
    });
}

int make_memory(const std::string& name) {
    // Kernels that can forbid execution of memfds want to be told (MFD_EXEC, since 6.3).
    constexpr unsigned executable = 0x10U;
    const int with = ::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING | executable);
    if (with >= 0 || errno != EINVAL) return with;
    return ::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

/// From now on nobody can change the copy. EBUSY means that the kernel itself holds one of its
/// pages for a moment, to move it for instance; each attempt waits for that up to 150 ms.
bool seal(int memory) {
    constexpr int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    constexpr int attempts_max = 20;
    for (int attempt = 1; ::fcntl(memory, F_ADD_SEALS, seals) != 0; ++attempt) {
        if (errno != EBUSY || attempt == attempts_max) return false;
    }
    return true;
}

result<void> copy(int from, int to, off_t size) {
    std::vector<char> buffer(std::size_t{1} << 16);
    for (off_t done = 0; done < size;) {
        const ssize_t got = ::read(from, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(plugin_errc::bad_file, "the file cannot be read", system_text());
        if (got == 0) return fail(plugin_errc::bad_file, "the file shrank while it was read");
        for (ssize_t written = 0; written < got;) {
            const ssize_t put =
                ::write(to, buffer.data() + written, static_cast<std::size_t>(got - written));
            if (put < 0 && errno == EINTR) continue;
            if (put < 0)
                return fail(plugin_errc::bad_file, "no memory for the library", system_text());
            written += put;
        }
        done += got;
    }
    return {};
}

result<void> check_copy(int memory, std::size_t size) {
    if (size == 0) return fail(plugin_errc::bad_file, "the file is empty");
    void* const bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, memory, 0);
    if (bytes == MAP_FAILED)
        return fail(plugin_errc::bad_file, "no memory for the library", system_text());
    auto checked = check_elf({static_cast<const std::byte*>(bytes), size});
    ::munmap(bytes, size);
    return checked;
}

std::string memory_path(int memory) { return fmt::format("/proc/self/fd/{}", memory); }

}  // namespace

bool library_info::offers(std::string_view interface_id) const {
    return std::ranges::find(interfaces, interface_id) != interfaces.end();
}

library::library(library&& other) noexcept
    : name_{std::move(other.name_)},
      path_{std::move(other.path_)},
      memory_{std::exchange(other.memory_, -1)},
      handle_{std::exchange(other.handle_, nullptr)},
      table_{std::exchange(other.table_, nullptr)},
      info_{std::move(other.info_)} {}

result<void> library::open_file(const fs::path& given, const std::vector<fs::path>& dirs) {
    std::error_code failed;
    path_ = fs::canonical(given, failed);
    if (failed)
        return fail(plugin_errc::bad_file,
                    fmt::format("no such file: {}", to_utf8(given.filename().native())),
                    failed.message());
    name_ = path_.stem().native();
    if (!below(path_, dirs))
        return fail(plugin_errc::outside_dirs,
                    "the file does not lie below one of the plugin folders", path_.native());
    if (!is_name(name_))
        return fail(plugin_errc::bad_file,
                    "the file's name is not a name ([A-Za-z0-9][A-Za-z0-9_.:-]*)");

    // O_NONBLOCK: a named pipe must not hold us. O_NOFOLLOW and the look at what was opened: the
    // path may have changed since it was resolved.
    const descriptor file{::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
    if (file.get() < 0)
        return fail(plugin_errc::bad_file, "the file cannot be opened", system_text());
    struct stat about{};
    if (::fstat(file.get(), &about) != 0 || !S_ISREG(about.st_mode))
        return fail(plugin_errc::bad_file, "not a regular file");
    if (fs::read_symlink(memory_path(file.get()), failed) != path_)
        return fail(plugin_errc::outside_dirs, "the file moved while it was opened");
    if (about.st_size > file_bytes_max)
        return fail(plugin_errc::bad_file, "the file is larger than 512 MiB");

    descriptor memory{make_memory(name_)};
    if (memory.get() < 0)
        return fail(plugin_errc::bad_file, "no memory for the library", system_text());
    if (auto copied = copy(file.get(), memory.get(), about.st_size); !copied) return copied;
    if (!seal(memory.get()))
        return fail(plugin_errc::bad_file, "the copy cannot be sealed", system_text());
    if (auto checked = check_copy(memory.get(), static_cast<std::size_t>(about.st_size)); !checked)
        return checked;
    memory_ = memory.release();
    return {};
}

result<void> library::negotiate() {
    void* const found = ::dlsym(handle_, FXC_ENTRY_SYMBOL);
    if (found == nullptr)
        return fail(plugin_errc::bad_file,
                    "a shared library, but not a plugin (it does not export " FXC_ENTRY_SYMBOL ")");
    const auto entry = std::bit_cast<decltype(&flexcore_plugin_negotiate)>(found);

    fxc_offer offer{};
    offer.struct_size = sizeof offer;
    offer.magic = FXC_ABI_MAGIC;
    offer.major_min = FXC_ABI_MAJOR;
    offer.major_max = FXC_ABI_MAJOR;
    offer.minor = FXC_ABI_MINOR;
    offer.host_version = "FlexCore";
    fxc_answer answer{};
    answer.struct_size = sizeof answer;
    fxc_status status = FXC_INTERNAL;
    if (auto thrown = guard(name_, [&] { status = entry(&offer, &answer); }))
        return fail(plugin_errc::bad_abi, "its entry threw an exception", *thrown);
    auto checked = check_answer(name_, status, answer);
    if (!checked) return fail(std::move(checked).error());
    table_ = checked->table;
    info_ = std::move(checked->info);
    return {};
}

result<library> library::load(const fs::path& given, const std::vector<fs::path>& dirs) {
    library loaded;
    if (auto opened = loaded.open_file(given, dirs); !opened)
        return fail(std::move(opened).error());
    {
        // Constructors of the library run inside.
        const current_plugin mark{loaded.name_};
        loaded.handle_ = ::dlopen(memory_path(loaded.memory_).c_str(), RTLD_NOW | RTLD_LOCAL);
    }
    if (loaded.handle_ == nullptr) {
        const char* const why = ::dlerror();  // NOLINT(concurrency-mt-unsafe): per thread here
        ::close(std::exchange(loaded.memory_, -1));
        return fail(plugin_errc::bad_file, "the library cannot be loaded",
                    to_utf8(why != nullptr ? why : "unknown"));
    }
    if (auto negotiated = loaded.negotiate(); !negotiated) {
        // Nothing of it has been started: out again, whatever it says about unloading.
        (void)loaded.unmap();
        return fail(std::move(negotiated).error());
    }
    return loaded;
}

bool library::unmap() {
    if (handle_ == nullptr) return true;
    const current_plugin mark{name_};
    ::dlclose(std::exchange(handle_, nullptr));
    table_ = nullptr;
    if (void* const still = ::dlopen(memory_path(memory_).c_str(), RTLD_LAZY | RTLD_NOLOAD);
        still != nullptr) {
        ::dlclose(still);
        return false;
    }
    ::close(std::exchange(memory_, -1));
    return true;
}

}  // namespace flexcore::plugin

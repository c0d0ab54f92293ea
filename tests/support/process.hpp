// Processes under test: started, fed, watched and always ended.
//
// Lifetime: the destructor kills what still runs and reaps it; a child also dies with the test
//           program (a test that crashes leaves no server behind).
// Output:   both streams are collected without limit and may be read at any time.
// Threads:  one `process` belongs to one thread; start it on a thread that outlives it (the kernel
//           ties "dies with its parent" to the starting thread).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace flexcore::test {

/// Bound for anything that should happen soon; far above what a slow sanitizer build needs.
inline constexpr std::chrono::seconds soon{30};

/// Asks again and again (every few milliseconds) until the condition holds; false after `bound`.
[[nodiscard]] bool wait_until(const std::function<bool()>& condition,
                              std::chrono::milliseconds bound = soon);

/// An own folder below the system's temporary one, removed with all its content at the end.
class temp_folder {
public:
    temp_folder();
    ~temp_folder();
    temp_folder(const temp_folder&) = delete;
    temp_folder& operator=(const temp_folder&) = delete;
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
    [[nodiscard]] std::filesystem::path operator/(const std::string& name) const {
        return path_ / name;
    }

private:
    std::filesystem::path path_;
};

void write_file(const std::filesystem::path&, const std::string& text);
/// Empty when there is no such file.
[[nodiscard]] std::string read_file(const std::filesystem::path&);

struct exit_state {
    int code = -1;   ///< exit code, -1 when a signal ended it
    int signal = 0;  ///< the signal, 0 when it exited by itself
};

struct process_options {
    std::vector<std::string> args;  ///< without the program's own name
    /// Added to this program's environment, from which FLEXCORE_* and DATABASE_URL are removed.
    std::map<std::string, std::string> env;
    std::filesystem::path folder;  ///< working directory; empty: this program's
    std::string input;             ///< standard input; ends after it
};

class process {
public:
    /// Throws std::runtime_error when it cannot be started.
    process(const std::filesystem::path& program, process_options);
    ~process();
    process(process&&) noexcept;
    process& operator=(process&&) noexcept;

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    void signal(int number) const;
    [[nodiscard]] bool running();
    /// Empty when it still runs after `bound`.
    std::optional<exit_state> wait(std::chrono::milliseconds bound = soon);
    [[nodiscard]] std::string out() const;
    [[nodiscard]] std::string err() const;

private:
    void end() noexcept;
    pid_t pid_ = -1;
    int out_ = -1, err_ = -1;
    std::optional<exit_state> ended_;
};

struct finished {
    int code = -1;
    std::string out, err;
};
/// Runs to the end; throws std::runtime_error when it takes longer than `bound` or dies by signal.
[[nodiscard]] finished run(const std::filesystem::path& program, process_options,
                           std::chrono::milliseconds bound = soon);

}  // namespace flexcore::test

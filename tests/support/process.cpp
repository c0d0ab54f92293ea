#include "support/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

extern char** environ;  // NOLINT: POSIX names it so

namespace flexcore::test {
namespace {

constexpr int exit_exec_failed = 127;

int memory_file(const char* name, const std::string& content = {}) {
    const int fd = ::memfd_create(name, MFD_CLOEXEC);
    if (fd < 0) throw std::runtime_error{std::string{"memfd_create: "} + std::strerror(errno)};
    std::size_t written = 0;
    while (written < content.size()) {
        const ssize_t n = ::write(fd, content.data() + written, content.size() - written);
        if (n < 0) throw std::runtime_error{std::string{"write: "} + std::strerror(errno)};
        written += static_cast<std::size_t>(n);
    }
    ::lseek(fd, 0, SEEK_SET);
    return fd;
}

std::string all_of(int fd) {
    std::string text;
    char part[16384];
    // pread: the child's own writing position stays where it is.
    for (off_t at = 0;; at = static_cast<off_t>(text.size())) {
        const ssize_t n = ::pread(fd, part, sizeof part, at);
        if (n <= 0) return text;
        text.append(part, static_cast<std::size_t>(n));
    }
}

std::vector<std::string> environment(const std::map<std::string, std::string>& added) {
    std::vector<std::string> all;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string text{*entry};
        const std::string name = text.substr(0, text.find('='));
        if (name.starts_with("FLEXCORE_") || name == "DATABASE_URL" || added.contains(name))
            continue;
        all.push_back(text);
    }
    for (const auto& [name, value] : added) all.push_back(name + "=" + value);
    return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (std::string& text : texts) all.push_back(text.data());
    all.push_back(nullptr);
    return all;
}

}  // namespace

bool wait_until(const std::function<bool()>& condition, std::chrono::milliseconds bound) {
    const auto end = std::chrono::steady_clock::now() + bound;
    for (std::chrono::milliseconds pause{1};;) {
        if (condition()) return true;
        if (std::chrono::steady_clock::now() >= end) return false;
        std::this_thread::sleep_for(pause);
        if (pause < std::chrono::milliseconds{20}) pause *= 2;
    }
}

temp_folder::temp_folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "flexcore-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
        throw std::runtime_error{std::string{"mkdtemp: "} + std::strerror(errno)};
    path_ = pattern;
}

temp_folder::~temp_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

void write_file(const std::filesystem::path& path, const std::string& text) {
    std::ofstream file{path, std::ios::binary | std::ios::trunc};
    file << text;
    if (!file.flush()) throw std::runtime_error{"cannot write " + path.string()};
}

std::string read_file(const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream{path, std::ios::binary}.rdbuf();
    return text.str();
}

process::process(const std::filesystem::path& program, process_options options) {
    std::vector<std::string> args{program.string()};
    args.insert(args.end(), options.args.begin(), options.args.end());
    std::vector<std::string> env = environment(options.env);
    // Everything is made ready before the fork: between it and exec nothing may allocate.
    std::vector<char*> argv = pointers(args);
    std::vector<char*> envp = pointers(env);
    const std::string folder = options.folder.string();
    const int in = memory_file("stdin", options.input);
    out_ = memory_file("stdout");
    err_ = memory_file("stderr");
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
        sigset_t none;
        ::sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(exit_exec_failed);
        if (::dup2(in, 0) < 0 || ::dup2(out_, 1) < 0 || ::dup2(err_, 2) < 0)
            ::_exit(exit_exec_failed);
        if (!folder.empty() && ::chdir(folder.c_str()) != 0) ::_exit(exit_exec_failed);
        ::execve(argv[0], argv.data(), envp.data());
        const char* why = std::strerror(errno);
        [[maybe_unused]] const auto n = ::write(2, why, std::strlen(why));
        ::_exit(exit_exec_failed);
    }
    const int cause = errno;
    ::close(in);
    if (pid_ < 0) {
        ::close(out_);
        ::close(err_);
        throw std::runtime_error{std::string{"fork: "} + std::strerror(cause)};
    }
}

process::~process() { end(); }

process::process(process&& other) noexcept
    : pid_{std::exchange(other.pid_, -1)},
      out_{std::exchange(other.out_, -1)},
      err_{std::exchange(other.err_, -1)},
      ended_{std::exchange(other.ended_, std::nullopt)} {}

process& process::operator=(process&& other) noexcept {
    if (this == &other) return *this;
    end();
    pid_ = std::exchange(other.pid_, -1);
    out_ = std::exchange(other.out_, -1);
    err_ = std::exchange(other.err_, -1);
    ended_ = std::exchange(other.ended_, std::nullopt);
    return *this;
}

void process::end() noexcept {
    if (pid_ > 0 && !ended_) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    if (out_ >= 0) ::close(out_);
    if (err_ >= 0) ::close(err_);
    pid_ = out_ = err_ = -1;
}

void process::signal(int number) const {
    if (!ended_) ::kill(pid_, number);
}

bool process::running() { return !wait(std::chrono::milliseconds{0}); }

std::optional<exit_state> process::wait(std::chrono::milliseconds bound) {
    const auto reaped = [this] {
        if (ended_) return true;
        int status = 0;
        if (::waitpid(pid_, &status, WNOHANG) != pid_) return false;
        ended_ = WIFEXITED(status) ? exit_state{WEXITSTATUS(status), 0}
                                   : exit_state{-1, WTERMSIG(status)};
        return true;
    };
    if (!wait_until(reaped, bound)) return std::nullopt;
    return ended_;
}

std::string process::out() const { return all_of(out_); }
std::string process::err() const { return all_of(err_); }

finished run(const std::filesystem::path& program, process_options options,
             std::chrono::milliseconds bound) {
    process child{program, std::move(options)};
    const auto end = child.wait(bound);
    if (!end) throw std::runtime_error{program.string() + " still runs\n" + child.err()};
    if (end->signal != 0)
        throw std::runtime_error{program.string() + " died of signal " +
                                 std::to_string(end->signal) + "\n" + child.err()};
    return {end->code, child.out(), child.err()};
}

}  // namespace flexcore::test

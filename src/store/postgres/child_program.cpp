#include "store/postgres/child_program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <system_error>

extern char** environ;  // NOLINT: POSIX names it so

namespace flexcore::store::postgres {
namespace {

namespace fs = std::filesystem;

constexpr int look_ms = 200;
constexpr std::size_t said_max = 4'096;

bool can_run(const fs::path& file) {
    return fs::is_regular_file(file) && ::access(file.c_str(), X_OK) == 0;
}

std::string one_line(std::string text) {
    while (!text.empty() && text.back() == '\n') text.pop_back();
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

}  // namespace

std::string find_program(const std::string& name) {
    const char* path = std::getenv("PATH");  // NOLINT: nobody changes the environment
    std::string_view rest = path == nullptr ? "" : path;
    while (!rest.empty()) {
        const auto end = rest.find(':');
        const fs::path file = fs::path{rest.substr(0, end)} / name;
        if (can_run(file)) return file.string();
        rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    }
    return {};
}

result<child_end> run_program(const std::vector<std::string>& command, const std::string& password,
                              const std::function<bool()>& watch) {
    std::array<int, 2> said{};
    if (::pipe2(said.data(), O_CLOEXEC) != 0)
        return fail(base_errc::io, std::system_category().message(errno));
    std::vector<std::string> variables;
    for (char** one = environ; *one != nullptr; ++one) {
        const std::string_view text{*one};
        if (password.empty() || !text.starts_with("PGPASSWORD=")) variables.emplace_back(text);
    }
    // Its words are read by people and tests alike.
    variables.emplace_back("LC_MESSAGES=C");
    if (!password.empty()) variables.push_back("PGPASSWORD=" + password);
    const auto pointers = [](const std::vector<std::string>& all) {
        std::vector<char*> out;
        out.reserve(all.size() + 1);
        for (const auto& one : all) out.push_back(const_cast<char*>(one.c_str()));  // NOLINT: POSIX
        out.push_back(nullptr);
        return out;
    };
    const auto arguments = pointers(command);
    const auto environment = pointers(variables);
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&files, said[1], STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&files, said[1], STDERR_FILENO);
    pid_t child = -1;
    const int started = ::posix_spawn(&child, command.front().c_str(), &files, nullptr,
                                      arguments.data(), environment.data());
    ::posix_spawn_file_actions_destroy(&files);
    ::close(said[1]);
    if (started != 0) {
        ::close(said[0]);
        return fail(base_errc::io, fmt::format("{} cannot be started: {}", command.front(),
                                               std::system_category().message(started)));
    }
    child_end end;
    bool ended = false;
    for (;;) {
        pollfd ready{said[0], POLLIN, 0};
        const int some = ::poll(&ready, 1, look_ms);
        if (!ended && watch && watch()) {
            ::kill(child, SIGTERM);
            ended = true;
        }
        if (some <= 0) continue;
        std::array<char, 1024> buffer;
        const auto got = ::read(said[0], buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        end.said.append(buffer.data(), static_cast<std::size_t>(got));
        if (end.said.size() > said_max) end.said.erase(0, end.said.size() - said_max);
    }
    ::close(said[0]);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    end.succeeded = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    end.said = one_line(std::move(end.said));
    return end;
}

}  // namespace flexcore::store::postgres

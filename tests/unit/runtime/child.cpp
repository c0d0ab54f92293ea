#include "child.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <array>
#include <csignal>
#include <cstdlib>

child::child(const std::string& test_case) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    ::posix_spawn_file_actions_addclose(&actions, ends[0]);
    std::string program = "/proc/self/exe";
    std::string name = test_case;
    std::array<char*, 3> arguments{program.data(), name.data(), nullptr};
    const int failed =
        ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    pipe_ = ends[0];
    REQUIRE(failed == 0);
}

child::~child() {
    ::close(pipe_);
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

bool child::says(const std::string& text) {
    std::array<char, 512> part{};
    while (output_.find(text) == std::string::npos) {
        const ssize_t count = ::read(pipe_, part.data(), part.size());
        if (count <= 0) return false;
        output_.append(part.data(), static_cast<std::size_t>(count));
    }
    return true;
}

void child::signal(int number) const { REQUIRE(::kill(pid_, number) == 0); }

int child::status() {
    int status = 0;
    REQUIRE(::waitpid(pid_, &status, 0) == pid_);
    pid_ = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void say(const std::string& text) {
    // Any thread may say something, and only one thread may use Catch's assertions.
    const std::string line = text + '\n';
    if (::write(STDERR_FILENO, line.data(), line.size()) < 0) std::abort();
}

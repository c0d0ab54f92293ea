#include "plugin/crash_reporter.hpp"
#include "unit/plugin/house.hpp"

#include <catch2/catch.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>

using namespace flexcore;
using flexcore::plugin::testing::house;
using flexcore::plugin::testing::misbehaving;
using flexcore::plugin::testing::must;

namespace {

/// Runs one hidden test case of this program as another process.
struct ended {
    int status = 0;
    std::string errors;
};
ended run_again(const char* test_case) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::dup2(ends[1], STDERR_FILENO);
        ::dup2(ends[1], STDOUT_FILENO);
        ::execl("/proc/self/exe", "unit_plugin", test_case, nullptr);
        ::_exit(127);
    }
    ::close(ends[1]);
    ended out;
    std::array<char, 4096> buffer;
    for (ssize_t got = 0; (got = ::read(ends[0], buffer.data(), buffer.size())) > 0;)
        out.errors.append(buffer.data(), static_cast<std::size_t>(got));
    ::close(ends[0]);
    ::waitpid(child, &out.status, 0);
    return out;
}

/// As in the server, where nobody handled these signals before: Catch's own handlers allocate, and
/// may hang where the crash has left a lock.
void install_alone() {
    for (const int number : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL})
        REQUIRE(::signal(number, SIG_DFL) != SIG_ERR);
    plugin::install_crash_reporter();
}

void crash(const char* how) {
    install_alone();
    house in;
    must(in.load(misbehaving("crash_on_call")));
    REQUIRE(in.execute("crash_on_call", "fine").value() == "fine");
    (void)in.execute("crash_on_call", how);
}

void crash_at_load(const char* plugin) {
    install_alone();
    house in;
    (void)in.load(misbehaving(plugin));
}

}  // namespace

TEST_CASE("crash in this process: abort", "[.]") { crash("abort"); }
TEST_CASE("crash in this process: segv", "[.]") { crash("segv"); }
TEST_CASE("crash at load: crash_in_constructor", "[.]") { crash_at_load("crash_in_constructor"); }
TEST_CASE("crash at load: crash_in_info", "[.]") { crash_at_load("crash_in_info"); }

TEST_CASE("crash: the last line names the plugin whose code ran") {
    const auto* const how = GENERATE("abort", "segv");
    const auto out = run_again((std::string{"crash in this process: "} + how).c_str());
    CAPTURE(how, out.errors);
    // A sanitizer ends the process in its own way, after our line.
    CHECK((WIFSIGNALED(out.status) || WEXITSTATUS(out.status) != 0));
    CHECK(out.errors.contains("in plugin 'crash_on_call'; the process ends"));
    CHECK(out.errors.contains(std::string_view{how} == "abort" ? "SIGABRT" : "SIGSEGV"));
}

TEST_CASE("crash: a plugin that ends the process while it is loaded is named, too") {
    const auto* const plugin = GENERATE("crash_in_constructor", "crash_in_info");
    const auto out = run_again((std::string{"crash at load: "} + plugin).c_str());
    CAPTURE(plugin, out.errors);
    CHECK((WIFSIGNALED(out.status) || WEXITSTATUS(out.status) != 0));
    CHECK(out.errors.contains(std::string{"in plugin '"} + plugin + "'; the process ends"));
}

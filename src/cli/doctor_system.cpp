// Of `flexcore doctor`: limits, clock, versions, port.
#include "app/application.hpp"
#include "base/json.hpp"
#include "cli/doctor_impl.hpp"
#include "cli/http_client.hpp"
#include "cli/terminal.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <limits>
#include <optional>
#include <system_error>
#include <thread>

namespace flexcore::cli {
namespace {

constexpr rlim_t descriptors_beside = 256;  // the store's files, plugins, the log
constexpr double memory_bad_mb = 128, memory_warn_mb = 512;
constexpr std::chrono::milliseconds clock_watched{200};
constexpr std::chrono::milliseconds clock_jump{20};
constexpr std::chrono::year oldest_year{2024};

/// The number behind "MemAvailable:" in MB; the limit of the control group when that is less.
struct memory {
    double mb = 0;
    bool by_group = false;
};
std::optional<memory> memory_available() {
    std::optional<memory> out;
    std::ifstream info{"/proc/meminfo"};
    for (std::string name, unit; info >> name;) {
        double value = 0;
        info >> value;
        std::getline(info, unit);
        if (name == "MemAvailable:") out = memory{value / 1'000, false};
    }
    for (const char* file :
         {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
        double bytes = 0;
        if (std::ifstream group{file}; group >> bytes)
            if (out && bytes / 1e6 < out->mb) out = memory{bytes / 1e6, true};
    }
    return out;
}

void check_memory(std::vector<finding>& out) {
    const auto now = memory_available();
    if (!now) return;
    finding one{"memory",
                verdict::ok,
                fmt::format("{:.0f} MB {}", now->mb,
                            now->by_group ? "allowed by the control group" : "available"),
                {}};
    if (now->mb < memory_warn_mb) {
        one.is = now->mb < memory_bad_mb ? verdict::bad : verdict::warn;
        one.advice = fmt::format("a loaded server takes up to {:.0f} MB; {}", memory_warn_mb,
                                 now->by_group ? "raise the group's limit (MemoryMax=, --memory)"
                                               : "free some, or lower queries.cache_bytes_max and "
                                                 "commands.aggregates_cached_bytes_max");
    }
    out.push_back(std::move(one));
}

void check_descriptors(const app::settings& s, std::vector<finding>& out) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    const rlim_t wanted = s.http.connections_max + descriptors_beside;
    const std::string hard =
        limit.rlim_max == RLIM_INFINITY ? "unlimited" : grouped(limit.rlim_max);
    finding one{"file descriptors",
                verdict::ok,
                fmt::format("{} (hard limit {})", grouped(limit.rlim_cur), hard),
                {}};
    if (limit.rlim_max < wanted) {
        one.is = limit.rlim_max < 2 * descriptors_beside ? verdict::bad : verdict::warn;
        one.advice = fmt::format(
            "http.connections_max = {} needs {}; raise the hard limit (ulimit -Hn, LimitNOFILE= in "
            "a unit) or lower the setting",
            s.http.connections_max, grouped(wanted));
    }
    out.push_back(std::move(one));
}

void check_synchronized(std::vector<finding>& out) {
    timex asked{};
    const int state = ::adjtimex(&asked);  // asks only: no mode is set
    if (state < 0) return;                 // not told here: no opinion
    const bool in_step = state != TIME_ERROR && (asked.status & STA_UNSYNC) == 0;
    out.push_back({"clock synchronized", in_step ? verdict::ok : verdict::warn,
                   in_step ? "yes" : "no, as far as the kernel knows",
                   in_step ? ""
                           : "times of events would drift; run a time service (systemd-timesyncd, "
                             "chrony); in a container the host's counts"});
}

void check_jumps(std::vector<finding>& out) {
    const auto wall = std::chrono::system_clock::now();
    const auto steady = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(clock_watched);
    const auto apart =
        (std::chrono::system_clock::now() - wall) - (std::chrono::steady_clock::now() - steady);
    const std::chrono::year_month_day today{std::chrono::floor<std::chrono::days>(wall)};
    finding one{"clock", verdict::ok, "steady", {}};
    if (today.year() < oldest_year) {
        one.is = verdict::bad;
        one.found = fmt::format("it is the year {}", static_cast<int>(today.year()));
        one.advice = "set the clock: times of events and the age of what is kept depend on it";
    } else if (std::chrono::abs(apart) > clock_jump) {
        one.is = verdict::warn;
        one.found = fmt::format("it jumped by {:.0f} ms within {} ms",
                                std::chrono::duration<double, std::milli>(apart).count(),
                                clock_watched.count());
        one.advice = "let the time service slew the clock instead of stepping it";
    }
    out.push_back(std::move(one));
}

/// 0, or why it cannot be listened on.
int bind_error(const std::string& host, std::uint16_t port) {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found) != 0)
        return EADDRNOTAVAIL;
    const int fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const bool bound = ::bind(fd, found->ai_addr, found->ai_addrlen) == 0 && ::listen(fd, 1) == 0;
    const int code = bound ? 0 : errno;
    ::close(fd);
    ::freeaddrinfo(found);
    return code;
}

}  // namespace

std::optional<std::string> server_at(const std::string& host, std::uint16_t port) {
    http_client client{{host, std::to_string(port), {}},
                       {std::chrono::milliseconds{500}, std::chrono::milliseconds{500}}};
    const auto answer = client.ask({"GET", "/healthz", {}, {}, {}});
    if (!answer) return std::nullopt;
    const auto parsed = json::to_value(answer->body);
    const auto* about = parsed ? parsed->if_object() : nullptr;
    if (about == nullptr || !about->contains("version") || !about->at("version").is_string())
        return std::nullopt;
    return std::string{about->at("version").as_string()};
}

void check_limits(const app::settings& s, std::vector<finding>& out) {
    check_descriptors(s, out);
    check_memory(out);
}

void check_clock(std::vector<finding>& out) {
    check_jumps(out);
    check_synchronized(out);
}

void check_versions(std::vector<finding>& out) {
    utsname kernel{};
    std::string found = fmt::format("flexcore {}, {}", app::version(), app::store_version());
    if (::uname(&kernel) == 0) found += fmt::format(", {} {}", kernel.sysname, kernel.release);
    out.push_back({"versions", verdict::ok, std::move(found), {}});
}

void check_port(const app::settings& s, std::vector<finding>& out) {
    const std::string where = fmt::format("{} port {}", s.http.host, s.http.port);
    if (s.http.port == 0) {
        out.push_back({"port", verdict::ok, "0: any free one", {}});
        return;
    }
    const int code = bind_error(s.http.host, s.http.port);
    if (code == 0) {
        out.push_back({"port", verdict::ok, where + " is free", {}});
        return;
    }
    if (const auto other = server_at(s.http.host, s.http.port)) {
        out.push_back(
            {"port", verdict::warn, fmt::format("{}: FlexCore {} serves there", where, *other),
             "fine when it is the server you ask about; another one needs another port, named "
             "with --listen (http.port)"});
        return;
    }
    out.push_back({"port", verdict::bad,
                   fmt::format("{}: {}", where, std::generic_category().message(code)),
                   code == EACCES
                       ? "ports below 1024 are for root; name another with --listen (http.port)"
                       : "another program has it (ss -ltnp shows which); end that, or name another "
                         "port with --listen (http.port)"});
}

}  // namespace flexcore::cli

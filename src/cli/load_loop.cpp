#include "cli/load_loop.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace flexcore::cli {

load_loop::load_loop() : epoll_{::epoll_create1(EPOLL_CLOEXEC)} {}
load_loop::~load_loop() { ::close(epoll_); }

load_connection& load_loop::add(std::unique_ptr<load_connection> one) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = one.get();
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, one->fd(), &event);
    const std::size_t index = one->index();
    if (all_.size() <= index) all_.resize(index + 1);
    ++open_;
    return *(all_[index] = std::move(one));
}

load_connection& load_loop::replace(std::unique_ptr<load_connection> one) {
    drop(one->index());
    return add(std::move(one));
}

void load_loop::drop(std::size_t index) {
    if (index >= all_.size() || !all_[index]) return;
    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, all_[index]->fd(), nullptr);
    gone_.push_back(std::move(all_[index]));
    --open_;
}

void load_loop::flush(load_connection& one) {
    const auto sent = one.flush();
    if (!sent)
        lost_.emplace_back(&one, sent.error());
    else
        watch(one, !*sent);
}

void load_loop::watch(const load_connection& one, bool writing) {
    if (!writing && !writing_) return;
    writing_ = true;
    epoll_event event{};
    event.events = EPOLLIN | (writing ? EPOLLOUT : 0U);
    event.data.ptr = const_cast<load_connection*>(&one);  // given back as it came
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, one.fd(), &event);
}

void load_loop::tell_lost(const handlers& on) {
    // `lost` may flush, and so lose, another one.
    while (!lost_.empty()) {
        const auto now = std::exchange(lost_, {});
        for (const auto& [one, why] : now)
            if (all_[one->index()].get() == one) on.lost(*one, why);
    }
    gone_.clear();
}

void load_loop::run(std::uint64_t end_ns, const handlers& on, bool busy) {
    std::array<epoll_event, 128> events{};
    tell_lost(on);
    while (open_ != 0 && monotonic_ns() < end_ns) {
        const int n = ::epoll_wait(epoll_, events.data(), events.size(), busy ? 1 : 20);
        for (int at = 0; at < n; ++at) {
            const epoll_event& event = events.at(static_cast<std::size_t>(at));
            auto& one = *static_cast<load_connection*>(event.data.ptr);
            if (all_[one.index()].get() != &one) continue;  // gone in this round
            if ((event.events & EPOLLOUT) != 0) flush(one);
            if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) continue;
            if (const auto read = on.ready(one); !read) lost_.emplace_back(&one, read.error());
        }
        tell_lost(on);
        if (on.tick && !on.tick()) return;
    }
}

}  // namespace flexcore::cli

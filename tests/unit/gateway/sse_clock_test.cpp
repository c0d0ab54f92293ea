// What Server-Sent Events do by the clock, without waiting for it.
#include "gateway/api.hpp"
#include "gateway/sse.hpp"
#include "server_house.hpp"

#include <catch2/catch.hpp>

using namespace flexcore;
using namespace flexcore::gateway;

namespace {

/// An io thread that is this one. What comes from other threads waits until it is asked for.
class own_home final : public io_home {
public:
    void post(runtime::task work) override {
        const std::lock_guard lock{mutex_};
        box_.push_back(std::move(work));
    }
    void post_answer(std::shared_ptr<exchange>) override {}
    [[nodiscard]] bool here() const noexcept override { return true; }
    [[nodiscard]] timer_wheel& timers() noexcept override { return wheel; }
    void read_mail() {
        std::vector<runtime::task> box;
        {
            const std::lock_guard lock{mutex_};
            box.swap(box_);
        }
        for (runtime::task& one : box) one();
    }
    timer_wheel wheel{monotonic::now()};

private:
    std::mutex mutex_;
    std::vector<runtime::task> box_;
};

class keeping_owner final : public exchange_owner {
public:
    void answered(exchange&) override {}
    void stream_moved(exchange& of) override {
        text += of.stream_text;
        of.stream_text.clear();
    }
    void body_wanted(exchange&) override {}
    void abort_stream(exchange&) override {}
    [[nodiscard]] std::size_t unsent(const exchange&) const noexcept override { return 0; }
    std::string text;
};

}  // namespace

TEST_CASE("sse: a comment comes every 15 seconds, also when nothing happens") {
    tests::server_house house;
    const auto home = std::make_shared<own_home>();
    keeping_owner owner;
    const auto to = std::make_shared<exchange>(home, &owner);
    const auto on = std::make_shared<api>(http_settings{}, house.services());
    serve_events(on, responder{to}, {}, 0);
    CHECK(tests::eventually([&] {
        home->read_mail();
        return owner.text.find("event: caught_up") != std::string::npos;
    }));
    owner.text.clear();
    const auto begin = monotonic::now();
    home->wheel.advance(begin + std::chrono::seconds{14});
    CHECK(owner.text.empty());
    home->wheel.advance(begin + std::chrono::seconds{16});
    CHECK(owner.text == ": keep-alive\n\n");
    home->wheel.advance(begin + std::chrono::seconds{32});
    CHECK(owner.text == ": keep-alive\n\n: keep-alive\n\n");
    to->owner = nullptr;
    to->session->on_closed();
}

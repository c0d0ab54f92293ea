// Answers every call from a thread of its own, and only after the caller has given up: at the
// deadline or a cancel. drain() joins the threads (and so lasts as long as the open calls).
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

#include "rules.hpp"

namespace {

class completes_late {
public:
    static void describe(fc::description<completes_late>& what) {
        what.id = "test.completes_late";
        what.version = "1.0.0";
        what.aggregate<late_rules>("completes_late").command("completes_late.do");
        what.query("completes_late.query", &completes_late::ask);
    }
    void process(const fc::message&, fc::completion& done) { later(std::move(done)); }
    void ask(const fc::query&, const fc::views&, fc::completion& done) { later(std::move(done)); }
    void drain() {
        const std::lock_guard hold{mutex_};
        for (auto& thread : threads_) thread.join();
        threads_.clear();
    }

private:
    struct late_rules : accepting_rules {
        static void decide(const completes_late& plugin, const fc::command&, const state&,
                           fc::completion& done) {
            plugin.later(std::move(done));
        }
    };
    void later(fc::completion done) const {
        const std::lock_guard hold{mutex_};
        threads_.emplace_back([done = std::move(done)]() mutable {
            while (!done.call().cancelled())
                std::this_thread::sleep_for(std::chrono::milliseconds{1});
            // The host has answered by now, or is about to: both must be harmless.
            done.succeed("{\"late\":true}");
        });
    }

    mutable std::mutex mutex_;
    mutable std::vector<std::thread> threads_;
};

}  // namespace

FLEXCORE_PLUGIN(completes_late)

// Completes late, told to by the processor's input "complete", on a thread of its own that would
// not bear to be called back meanwhile: a state that is released by it is noted ("where" asks).
#include <atomic>
#include <thread>
#include <vector>

#include "rules.hpp"

namespace {

thread_local bool completing = false;
std::atomic<int> released{0};
std::atomic<bool> released_inside{false};

class completes_locked {
public:
    static void describe(fc::description<completes_locked>& what) {
        what.id = "test.completes_locked";
        what.version = "1.0.0";
        what.reentrant = true;
        auto& aggregate = what.aggregate<late_rules>("completes_locked");
        aggregate.command("completes_locked.do");
        aggregate.command("completes_locked.fine");
    }
    std::string process(std::string_view asked) {
        if (asked == "complete") {
            complete_ = true;
            for (auto& thread : threads_) thread.join();
            threads_.clear();
        }
        if (asked == "released") return std::to_string(released.load());
        return released_inside ? "inside" : "outside";
    }

private:
    struct late_rules {
        struct state {
            state() = default;
            state(const state&) = delete;
            state& operator=(const state&) = delete;
            ~state() {
                ++released;
                if (completing) released_inside = true;
            }
        };
        static void decide(const completes_locked& plugin, const fc::command& command, const state&,
                           fc::completion& done) {
            if (command.type() == "completes_locked.fine") return done.succeed();
            plugin.threads_.emplace_back([&plugin, done = std::move(done)]() mutable {
                while (!plugin.complete_) std::this_thread::yield();
                completing = true;
                done.succeed();
                completing = false;
            });
        }
        static void evolve(state&, const fc::event&) {}
        static std::string snapshot(const state&) { return "{}"; }
        static state load(std::string_view) { return {}; }
    };

    std::atomic<bool> complete_ = false;
    mutable std::vector<std::thread> threads_;
};

}  // namespace

FLEXCORE_PLUGIN(completes_locked)

// reader_pool: read connections, one per thread that reads at the same time.
//
// Why:     a connection lent to a thread goes back to that thread's own place, so a thread finds
//          the connection it used last, warm, without a lock; and no thread-local destructor ever
//          meets a store that is gone.
// Threads: `lend` on any thread; the loan is used and given back on one thread at a time.
// Lifetime: `close` shuts idle ones and lets each lent one be closed when it comes back; loans may
//          outlive the pool.
#pragma once

#include "base/result.hpp"
#include "store/errc.hpp"

#include <array>
#include <atomic>
#include <functional>
#include <memory>

namespace flexcore::store::sqlite {

template <class Reader>
class reader_pool {
    static constexpr std::size_t places = 32;
    struct shared {
        std::function<result<std::unique_ptr<Reader>>()> open;
        std::array<std::atomic<Reader*>, places> idle{};
        std::atomic<bool> closed{false};

        ~shared() { drain(); }
        void drain() {
            for (auto& place : idle) delete place.exchange(nullptr);
        }
    };

public:
    class loan {
    public:
        loan(std::shared_ptr<shared> pool, std::unique_ptr<Reader> reader)
            : pool_{std::move(pool)}, reader_{std::move(reader)} {}
        loan(loan&&) noexcept = default;
        loan& operator=(loan&&) = delete;
        ~loan() {
            if (reader_) give_back();
        }
        [[nodiscard]] Reader& operator*() const noexcept { return *reader_; }
        [[nodiscard]] Reader* operator->() const noexcept { return reader_.get(); }
        /// Closes it instead of giving it back: after an error that may be the connection's.
        void discard() { reader_.reset(); }

    private:
        void give_back() {
            const std::size_t own = own_place();
            for (std::size_t i = 0; i < places && reader_; ++i) {
                Reader* empty = nullptr;
                auto& place = pool_->idle[(own + i) % places];
                if (place.compare_exchange_strong(empty, reader_.get())) (void)reader_.release();
            }
            reader_.reset();
            // Closed between the check and the return: whoever sees it last empties the places.
            if (pool_->closed) pool_->drain();
        }
        std::shared_ptr<shared> pool_;
        std::unique_ptr<Reader> reader_;
    };

    explicit reader_pool(std::function<result<std::unique_ptr<Reader>>()> open)
        : shared_{std::make_shared<shared>()} {
        shared_->open = std::move(open);
    }
    ~reader_pool() { close(); }

    [[nodiscard]] result<loan> lend() {
        if (shared_->closed) return fail(store_errc::stopped, "the store is closed");
        const std::size_t own = own_place();
        for (std::size_t i = 0; i < places; ++i) {
            auto& place = shared_->idle[(own + i) % places];
            if (place.load(std::memory_order_relaxed) == nullptr) continue;
            if (Reader* found = place.exchange(nullptr)) {
                return loan{shared_, std::unique_ptr<Reader>{found}};
            }
        }
        auto made = shared_->open();
        if (!made) return fail(std::move(made.error()));
        return loan{shared_, std::move(*made)};
    }

    void close() {
        shared_->closed = true;
        shared_->drain();
    }

private:
    /// Each thread gets a place of its own, as long as there are enough.
    static std::size_t own_place() noexcept {
        static std::atomic<std::size_t> next{0};
        thread_local const std::size_t mine = next.fetch_add(1) % places;
        return mine;
    }

    std::shared_ptr<shared> shared_;
};

}  // namespace flexcore::store::sqlite

// io_pool: the io threads, each with an io_context of its own that no other thread runs.
//
// Threads:  `at(i)` is run by thread "fc-io-<i>" alone, so what lives on one context needs no
//           lock. Other threads reach it through boost::asio::post and dispatch only.
// Lifetime: handlers not run when the pool stops are destroyed with the pool.
// A handler that leaks an exception is a defect and ends the process.
#pragma once

#include <cstddef>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace flexcore::runtime {

class io_pool {
public:
    explicit io_pool(std::size_t threads);
    ~io_pool();  ///< stops
    io_pool(const io_pool&) = delete;
    io_pool& operator=(const io_pool&) = delete;

    [[nodiscard]] std::size_t size() const noexcept;
    [[nodiscard]] boost::asio::io_context& at(std::size_t i);

    /// Once: starts the threads; they run until `stop`, with or without work.
    void start();
    /// Ends the threads after the handlers they are in, and joins. Close connections before.
    /// Never from an io thread.
    void stop();

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace flexcore::runtime

// shard: one io thread's share of the server: its listening socket, its connections, its timers and
// the mailbox through which other threads give answers.
//
// Threads:  post, post_answer and here on any thread; everything else on the io thread.
// Lifetime: shared by connections, exchanges and whoever owes an answer. Once closed it holds no
//           Asio object any more, so the last owner may let go on any thread.
#pragma once

#include "gateway/admission.hpp"
#include "gateway/api.hpp"
#include "gateway/exchange.hpp"
#include "gateway/timer_wheel.hpp"
#include "gateway/traffic.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace flexcore::gateway {

class connection;

/// What all shards of one server share.
struct server_core {
    server_core(http_settings, http_services);

    const std::shared_ptr<api> on;
    router table;
    traffic counts;
    std::atomic<std::size_t> connections{0};

    std::mutex mutex;
    std::condition_variable changed;
    std::size_t shards_open = 0;  ///< under mutex
};

class shard final : public io_home, public std::enable_shared_from_this<shard> {
public:
    using tcp = boost::asio::ip::tcp;
    shard(boost::asio::io_context&, std::shared_ptr<server_core>);
    ~shard() override;

    // io_home
    void post(runtime::task) override;
    void post_answer(std::shared_ptr<exchange>) override;
    [[nodiscard]] bool here() const noexcept override;
    [[nodiscard]] timer_wheel& timers() noexcept override { return wheel_; }

    // For the server.
    void listen(tcp::acceptor);
    /// Takes what waits in the accept queue and closes the socket.
    void stop_accepting();
    /// Connections finish what runs and close; then the shard is closed.
    void finish();
    /// Closes what is left.
    void abort();

    // For connections.
    [[nodiscard]] server_core& core() noexcept { return *core_; }
    [[nodiscard]] target_cache& targets() noexcept { return targets_; }
    [[nodiscard]] request_ids& ids() noexcept { return ids_; }
    [[nodiscard]] std::string_view date();
    [[nodiscard]] bool finishing() const noexcept { return finishing_; }
    [[nodiscard]] std::shared_ptr<exchange> take_exchange(exchange_owner&);
    void give_back(std::shared_ptr<exchange>);
    /// Its output is flushed at the end of this visit of the thread.
    void mark_dirty(connection&);
    void flush_dirty();
    void forget(connection&);

private:
    struct mail {
        std::shared_ptr<exchange> done;  ///< or, when null,
        runtime::task work;
    };
    void put_mail(mail);
    void read_mail();
    void accept_next();
    void accepted(boost::system::error_code, tcp::socket);
    void take_connection(tcp::socket);
    void refuse(tcp::socket);
    void tick();
    void close_when_empty();

    boost::asio::io_context& context_;
    const std::shared_ptr<server_core> core_;
    timer_wheel wheel_;
    target_cache targets_;
    request_ids ids_;

    std::mutex mutex_;
    std::vector<mail> box_;  ///< under mutex_
    bool summoned_ = false;  ///< under mutex_: read_mail is on its way
    bool closed_ = false;    ///< under mutex_

    std::unique_ptr<tcp::acceptor> acceptor_;
    std::unique_ptr<boost::asio::steady_timer> ticker_;
    std::unique_ptr<boost::asio::steady_timer> accept_pause_;
    bool accepting_ = false;  ///< an accept is under way, or its end on its way
    bool ticking_ = false;
    bool finishing_ = false;

    std::vector<mail> reading_;
    std::list<std::shared_ptr<connection>> connections_;
    std::vector<std::shared_ptr<connection>> dirty_;
    std::vector<std::shared_ptr<exchange>> spare_exchanges_;
    std::string date_;
    std::int64_t date_second_ = -1;
};

}  // namespace flexcore::gateway

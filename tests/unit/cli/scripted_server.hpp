// A server that does exactly what a test says, connection by connection: answers, half answers,
// closed connections, silence.
//
// Threads: the script runs on a thread of its own per connection; share state with a mutex.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace flexcore::test {

class scripted_connection {
public:
    explicit scripted_connection(int descriptor) : descriptor_{descriptor} {}
    /// Head and body of the next request; empty when the client has closed.
    [[nodiscard]] std::string request();
    void send(std::string_view bytes) const;
    /// Ends the connection, before the script returns.
    void shut() const;
    /// Waits until the client closes.
    void wait_closed();

private:
    int descriptor_;
    std::string in_;
};

class scripted_server {
public:
    /// `number` counts the connections from 0. The connection closes when the script returns.
    using script = std::function<void(scripted_connection&, int number)>;
    explicit scripted_server(script);
    ~scripted_server();
    [[nodiscard]] std::uint16_t port() const noexcept;

private:
    struct state;
    std::unique_ptr<state> state_;
};

/// HTTP/1.1 200 with this body and a length.
[[nodiscard]] std::string answer_text(std::string_view body, int status = 200,
                                      std::string_view type = "application/json");
/// What follows the head of a request.
[[nodiscard]] std::string body_of(const std::string& request);

}  // namespace flexcore::test
